# SPDX-License-Identifier: Apache-2.0
"""Scaling, rollbacks and the history of deployments, against a real Backplane."""

import json
import os
import signal
import subprocess
import threading
import time

import grpc
import pytest
from harness import FTL, LONG, Refused, module, wait_for
from xyz.block.ftl.v1 import ftl_pb2 as ftl


def ftl_run(backplane, *arguments):
    program = os.path.join(os.environ["FTL_BUILD"], "ftl")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "FTL_ENDPOINT": backplane.endpoint}
    return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=LONG)


def alive(backplane):
    return [one.alive for one in backplane.status().deployments if one.state == ftl.DEPLOYMENT_STATE_LIVE]


def test_scale_up_and_down_loses_no_call(backplane, make_runner):
    for _ in range(3):
        make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    for replicas in (3, 1, 2):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=replicas))
        futures = [backplane.call_future("echo.echo") for _ in range(50)]
        wait_for(lambda: alive(backplane) == [replicas], f"{replicas} replicas")
        futures += [backplane.call_future("echo.echo") for _ in range(50)]
        assert all(future.result().body == b"{}" for future in futures)


def test_a_scaling_that_succeeds_shows_no_old_failures(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    for _ in range(3):
        runner.report(key, error="exited with status 3", lines=[f"at frame {number}" for number in range(12)])
        wait_for(lambda: alive(backplane) == [1], "the replica")
    done = ftl_run(backplane, "scale", "echo", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"echo: {key} is live (1 replica)\n", "")


def test_a_text_of_many_lines_takes_one_line_of_a_table(backplane, runner):
    runner.failure = "panic: boom\n" + "".join(f"  at frame {number}\n" for number in range(12))
    key = backplane.deploy(module())
    assert backplane.watch(key)[-1].state == ftl.DEPLOYMENT_STATE_FAILED
    head, *rows = ftl_run(backplane, "ps").stdout.splitlines()
    assert head.startswith("MODULE") and len(rows) == 1, rows
    assert "panic: boom" in rows[0] and "frame" not in rows[0] and "?" not in rows[0]
    shown = [line for line in ftl_run(backplane, "status").stdout.splitlines() if line.startswith("echo")]
    assert len(shown) == 1 and "panic: boom" in shown[0] and "frame" not in shown[0], shown
    (told,) = json.loads(ftl_run(backplane, "ps", "-o", "json").stdout)
    assert told["detail"] == runner.failure


def test_a_deployment_scaled_to_0_is_stopped_but_kept(backplane, runner, make_runner, refused):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    assert backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=0)).deployment_key == key
    runner.terminated.get(timeout=LONG)
    with refused("UNAVAILABLE", "scaled to 0", reason="SCALED_TO_ZERO"):
        backplane.call("echo.echo")
    backplane.kill()
    backplane.start()
    with refused("UNAVAILABLE", "scaled to 0"):
        backplane.call("echo.echo")
    backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))
    make_runner().register()
    backplane.wait_live(key)
    wait_for(lambda: alive(backplane) == [1], "a replica")
    assert backplane.call("echo.echo").body == b"{}"


def test_a_failed_deployment_keeps_the_number_of_replicas(backplane, make_runner):
    runners = [make_runner().register() for _ in range(2)]
    first = backplane.deploy(module(), replicas=2)
    backplane.wait_live(first)
    runners.append(make_runner())
    runners[2].failure = "its configuration is missing"
    runners[2].register()
    assert backplane.watch(backplane.deploy(module(comments=["2"]), replicas=1))[-1].state == ftl.DEPLOYMENT_STATE_FAILED
    (live,) = [one for one in backplane.status().deployments if one.state == ftl.DEPLOYMENT_STATE_LIVE]
    assert (live.key, live.replicas, live.alive) == (first, 2, 2)
    assert "Terminate" not in runners[0].log + runners[1].log
    runners[2].failure = ""
    third = backplane.deploy(module(comments=["3"]), replicas=1)
    backplane.wait_live(third)
    wait_for(lambda: alive(backplane) == [1] and len(backplane.runners("idle")) == 2, "one replica")
    backplane.kill()
    backplane.start()
    (kept,) = [one for one in backplane.status().deployments if one.key == third]
    assert kept.replicas == 1


def test_invalid_scalings_are_refused(backplane, runner, refused):
    backplane.wait_live(backplane.deploy(module()))
    with refused("NOT_FOUND", "ecco", "did you mean echo"):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="ecco", replicas=1))
    with refused("INVALID_ARGUMENT", "101", "100"):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=101))
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    with refused("FAILED_PRECONDITION", "was stopped", reason="STOPPED"):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))


@pytest.fixture
def three(backplane, make_runner):
    for _ in range(2):
        make_runner().register()
    keys = []
    for comment in ("one", "two", "three"):
        keys.append(backplane.deploy(module(comments=[comment])))
        backplane.wait_live(keys[-1])
        wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    return keys


def test_roll_back_step_by_step_and_to_a_key(backplane, three, refused):
    first, second, third = three
    for wanted in (second, first):
        assert backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo")).deployment_key == wanted
        backplane.wait_live(wanted)
        assert backplane.call("echo.echo").body == b"{}"
        wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    with refused("FAILED_PRECONDITION", "no earlier deployment of echo"):
        backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo"))
    backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo", deployment_key=third))
    backplane.wait_live(third)
    with refused("NOT_FOUND", "dpl-x"):
        backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo", deployment_key="dpl-x"))
    with refused("NOT_FOUND", "ecco"):
        backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="ecco"))


# --- history: the order in which deployments were live


def history(backplane, limit=0):
    """(key, whether it was live, whether it is active) of each entry, newest first."""
    response = backplane.rpc.ListDeployments(ftl.ListDeploymentsRequest(module="echo", limit=limit))
    return [(one.key, one.live_ms > 0, one.active) for one in response.deployments]


def rollback(backplane, key=""):
    request = ftl.RollbackModuleRequest(module="echo", deployment_key=key)
    return backplane.rpc.RollbackModule(request).deployment_key


def test_a_rollback_goes_to_what_was_live_before(backplane, three, refused):
    """The first deployment is deployed again after the third: before it the third was live, not nothing."""
    first, second, third = three
    again = backplane.create(module(comments=["one"]))
    assert (again.deployment_key, again.existed, again.active) == (first, True, False)
    backplane.wait_live(first)
    assert history(backplane) == [(first, True, True), (third, True, False), (second, True, False), (first, True, False)]
    wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    assert rollback(backplane) == third
    backplane.wait_live(third)
    wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    backplane.kill()
    backplane.start()
    assert rollback(backplane) == second  # further back, and not forth again
    assert history(backplane)[0] == (third, True, True)
    assert len(history(backplane, 2)) == 2
    with refused("INVALID_ARGUMENT", "1001", "1000"):
        history(backplane, 1001)


def test_what_never_was_live_is_passed_over(backplane, make_runner):
    runners = [make_runner().register() for _ in range(5)]
    first = backplane.deploy(module(comments=["one"]))
    backplane.wait_live(first)
    for runner in runners:
        runner.brings_up = False
    second = backplane.deploy(module(comments=["two"]))
    # While one is being brought up, a rollback takes it back.
    assert rollback(backplane) == first
    backplane.wait_live(first)
    third = backplane.deploy(module(comments=["three"]))
    assert history(backplane) == [(third, False, False), (second, False, False), (first, True, True)]
    for runner in runners:
        runner.brings_up = True
    (asked,) = [one.key for one in backplane.runners("deploying")]
    next(runner for runner in runners if runner.key == asked).bring_up(third)
    backplane.wait_live(third)
    wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    assert rollback(backplane) == first
    backplane.wait_live(first)


def test_a_killed_module_rolls_back_to_what_was_live_last(backplane, three):
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    assert rollback(backplane) == three[2]


# --- a wait is for what was asked, and not for what was before


def test_a_deployment_wanted_again_while_it_ends_is_awaited(backplane, make_runner):
    runner = make_runner().register()
    key = backplane.deploy(module())
    backplane.wait_live(key)
    runner.brings_up = False
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    again = backplane.create(module())
    assert (again.deployment_key, again.existed, again.active) == (key, True, False)
    steps = backplane.rpc.WatchDeployment(ftl.WatchDeploymentRequest(deployment_key=key), timeout=LONG)
    first = next(steps)
    assert (first.state, first.text) == (ftl.DEPLOYMENT_STATE_STARTING, "deployed again")
    runner.bring_up(key)
    assert [one.state for one in steps][-1] == ftl.DEPLOYMENT_STATE_LIVE
    assert backplane.call("echo.echo").body == b"{}"


def test_a_wait_shows_no_steps_of_an_earlier_life(backplane, make_runner):
    runner = make_runner().register()
    key = backplane.deploy(module())
    backplane.wait_live(key)
    for _ in range(5):
        runner.report(key, error="it crashed")
        wait_for(lambda: alive(backplane) == [1], "the replica to come back")
    make_runner().register()
    backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=2))
    shown = [step.text for step in backplane.watch(key)]
    assert shown[0] == "scaled to 2" and not [text for text in shown if "crashed" in text]
    assert backplane.create(module()).active
    assert [step.text for step in backplane.watch(key)] == ["deployed again; it is the active one already", "is live already"]


def test_a_rollback_that_was_answered_survives_a_crash(backplane, three):
    second = three[1]
    backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo", deployment_key=second))
    backplane.kill()
    backplane.start()
    assert second in [one.key for one in backplane.status().deployments]


def test_the_command_line(backplane, three):
    first, second, third = three
    listed = json.loads(ftl_run(backplane, "history", "echo", "-o", "json").stdout)
    assert [one["key"] for one in listed] == [third, second, first]
    assert [one["active"] for one in listed] == [True, False, False]
    assert third in ftl_run(backplane, "history", "echo").stdout
    back = ftl_run(backplane, "rollback", "echo", "--verbose")
    assert back.stdout == f"echo: {second} is live (1 replica)\n"
    assert "wanted again" in back.stderr and "live" in back.stderr
    wait_for(lambda: backplane.runners("idle"), "an idle Runner")
    assert ftl_run(backplane, "scale", "echo", "2").stdout == f"echo: {second} is live (2 replicas)\n"
    assert ftl_run(backplane, "scale", "echo", "3", "--no-wait").stdout == f"echo: {second} is to have 3 replicas\n"
    late = ftl_run(backplane, "scale", "echo", "3", "--timeout", "100ms")
    assert late.returncode == 1 and "is not live after 100 ms" in late.stderr
    assert ftl_run(backplane, "scale", "echo", "0").stdout == f"echo: {second} is stopped, and kept\n"
    wrong = ftl_run(backplane, "scale", "echo", "many")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert ftl_run(backplane, "history", "ecco").returncode == 1


def test_each_replica_that_does_not_come_up_says_why(backplane, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "ftl.toml").write_text('module = "broken"\nlanguage = "sh"\ndeploy = ["main"]\n')
    (folder / "broken.ftl").write_text("module broken {\n  export verb ask(Unit) Unit\n}\n")
    (folder / "main").write_text("#!/bin/sh\nsleep 0.3\necho I am $$\nexit 3\n")
    (folder / "main").chmod(0o755)
    failed = ftl_run(backplane, "deploy", str(folder), "--replicas", "3")
    assert failed.returncode == 1
    assert failed.stderr.count("main exited with status 3 before it answered Ping\n  | I am ") == 3
    assert "error: broken: " in failed.stderr and "3 of 3 replicas did not come up; the first said: main exited" in failed.stderr
    kind = ftl.EventKind.EVENT_KIND_DEPLOYMENT_REPLICA_FAILED
    events = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(module="broken", tail=1000), timeout=LONG)
    told = [one.event for one in events if one.event.kind == kind]
    assert len({event.runner_key for event in told}) == 3
    assert len({tuple(event.last_lines) for event in told}) == 3


def test_a_change_is_one_line_in_the_log_of_the_backplane(make_backplane, tmp_path):
    """Of a Backplane that starts Runners itself, whose lines are in the same log."""
    backplane = make_backplane("--log-level", "info").start()
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "ftl.toml").write_text(
        'module = "slow"\nlanguage = "python"\nbuild = "python3 -m ftl schema slow.py -o slow.ftl"\n'
        'deploy = ["slow.py"]\nentry = "slow.py"\n')
    (folder / "slow.py").write_text(SLOW)
    (folder / "slow.py").chmod(0o755)

    def lines_of(*arguments):
        before = len(backplane.log())
        assert ftl_run(backplane, *arguments).returncode == 0
        time.sleep(0.5)
        return [line.split(": ", 1)[1] for line in backplane.log()[before:].splitlines()]

    (live,) = lines_of("deploy", str(folder))
    key = live.split(":")[0]
    assert key.startswith("dpl-slow-") and live == f"{key}: live"
    assert lines_of("scale", "slow", "2")[0] == f"{key}: scaled to 2"
    assert lines_of("kill", "slow") == [f"{key}: stopped"]


def test_lines_in_json_are_shown_as_people_read_them(backplane, tmp_path):
    """Lines in JSON that a module printed before it failed are shown as text by deploy and by events."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "ftl.toml").write_text('module = "broken"\nlanguage = "sh"\ndeploy = ["main"]\n')
    (folder / "broken.ftl").write_text("module broken {\n  export verb ask(Unit) Unit\n}\n")
    (folder / "main").write_text("#!/bin/sh\necho '{\"level\":\"error\",\"msg\":\"no database\",\"host\":\"db\"}' >&2\nexit 3\n")
    (folder / "main").chmod(0o755)
    failed = ftl_run(backplane, "deploy", str(folder))
    assert "  | error: no database host=db\n" in failed.stderr and "{" not in failed.stderr
    events = ftl_run(backplane, "events", "broken").stdout
    assert "  | error: no database host=db\n" in events and "{" not in events


CRASHES = """#!/usr/bin/env python3
import os

import ftl


@ftl.verb
def crash() -> None:
    os._exit(7)


if __name__ == "__main__":
    ftl.main()
"""


def test_a_crash_during_a_call_has_a_hint(backplane, tmp_path):
    folder = tmp_path / "frail"
    folder.mkdir()
    (folder / "ftl.toml").write_text(
        'module = "frail"\nlanguage = "python"\nbuild = "python3 -m ftl schema frail.py -o frail.ftl"\n'
        'deploy = ["frail.py"]\nentry = "frail.py"\n')
    (folder / "frail.py").write_text(CRASHES)
    (folder / "frail.py").chmod(0o755)
    deployed = ftl_run(backplane, "deploy", str(folder))
    assert deployed.returncode == 0, deployed.stderr
    lost = ftl_run(backplane, "call", "frail.crash")
    assert lost.returncode == 1 and "was lost during the call" in lost.stderr
    assert lost.stderr.endswith("hint: ftl events frail shows what happened\n")


def test_a_restart_replaces_every_replica_and_finishes_calls(backplane, tmp_path):
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "ftl.toml").write_text(
        'module = "slow"\nlanguage = "python"\nbuild = "python3 -m ftl schema slow.py -o slow.ftl"\n'
        'deploy = ["slow.py"]\nentry = "slow.py"\n')
    (folder / "slow.py").write_text(SLOW)
    (folder / "slow.py").chmod(0o755)
    deployed = ftl_run(backplane, "deploy", str(folder), "--replicas", "2")
    assert deployed.returncode == 0, deployed.stderr
    before = {call_slow(backplane, 0) for _ in range(20)}
    answers = []
    caller = threading.Thread(target=lambda: answers.append(call_slow(backplane, 1500)))
    caller.start()
    time.sleep(0.5)
    restarted = ftl_run(backplane, "restart", "slow")
    assert restarted.returncode == 0, restarted.stderr
    assert restarted.stdout.endswith(" is live (2 replicas)\n")
    after = {call_slow(backplane, 0) for _ in range(20)}
    caller.join()
    assert len(before) == len(after) == 2 and not before & after
    assert answers[0] in before  # the call in progress finished where it began
    ftl_run(backplane, "kill", "slow")
    stopped = ftl_run(backplane, "restart", "slow")
    assert stopped.returncode == 1 and "nothing of slow runs that could be restarted" in stopped.stderr
    unknown = ftl_run(backplane, "restart", "slaw")
    assert 'there is no module "slaw"; did you mean "slow"?' in unknown.stderr


def call_slow(backplane, ms):
    return json.loads(ftl_run(backplane, "call", "slow.wait", json.dumps({"ms": ms})).stdout)["pid"]


SLOW = """#!/usr/bin/env python3
import os
import time
from dataclasses import dataclass

import ftl


@dataclass
class Wait:
    ms: int


@dataclass
class Waited:
    pid: int


@ftl.verb
def wait(request: Wait) -> Waited:
    time.sleep(request.ms / 1000)
    return Waited(pid=os.getpid())


if __name__ == "__main__":
    ftl.main()
"""


def test_describe_tells_all_of_a_module(backplane, make_runner):
    make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    backplane.call("echo.echo")
    told = ftl_run(backplane, "describe", "echo")
    assert (told.returncode, told.stderr) == (0, "")
    for part in ("echo, called by no other module\n", "\nDeployments\n  dpl-echo-", "1 of 1 replicas alive", " alive for ",
                 "\nCalls since the Backplane started\n  echo 1, half of them within", "\nHistory\n * dpl-echo-", "\nEvents\n",
                 " created\n", "\nSchema\nmodule echo {"):
        assert part in told.stdout, (part, told.stdout)
    answer = json.loads(ftl_run(backplane, "describe", "echo", "-o", "json").stdout)
    assert sorted(answer) == ["called_by", "deployments", "events", "history", "module", "schema", "stats"]
    assert answer["deployments"][0]["runners"][0]["state"] == "alive"
    unknown = ftl_run(backplane, "describe", "ecko")
    assert unknown.returncode == 1 and "ecko" in unknown.stderr


@pytest.fixture
def hand_started(backplane, tmp_path):
    """Starts processes of `ftl runner` as a person would, each with a given key."""
    started = []

    def start(key):
        command = [FTL, "runner", "--language", "test", "--endpoint", backplane.endpoint, "--key", key]
        with (tmp_path / f"{key}.log").open("ab") as log:
            started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_for(lambda: [one for one in backplane.runners("idle") if one.key == key], "the Runner")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_runner_that_hangs_is_given_up_and_comes_back(backplane, hand_started):
    process = hand_started("hand-one")
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: not backplane.runners(), "the Backplane to give up the Runner")
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: backplane.runners("idle"), "the Runner to come back")


def test_a_runner_whose_connection_breaks_stays_alive(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    runner.log.clear()
    runner.registration.cancel()
    wait_for(lambda: "Ping" in runner.log, "the Backplane to ask whether it lives")
    assert all(future.result().body == b"{}" for future in [backplane.call_future("echo.echo") for _ in range(20)])
    runner.register(deployment_key=key)
    assert [(one.key, one.state) for one in backplane.runners()] == [(runner.key, "alive")]
    assert "Deploy" not in runner.log
    runner.die()
    wait_for(lambda: not backplane.runners(), "the death of the Runner to be noticed", 5)


# --- ejection: calls avoid a failing or slow replica for a while


@pytest.fixture
def pair(backplane, make_runner):
    """Two replicas; the test sets what the first one does with a call."""
    behaviour = {"do": lambda: None}

    def echo(request, context):
        behaviour["do"]()
        return b'"first"'

    first = make_runner(verbs={"echo": echo}).register()
    make_runner(verbs={"echo": lambda request, context: b'"second"'}).register()
    backplane.wait_live(backplane.deploy(module(), replicas=2))

    def calls(count, **options):
        """Makes calls at once. Returns the body or error of each."""
        futures = [backplane.call_future("echo.echo", **options) for _ in range(count)]
        return [future.exception() or future.result().body for future in futures]

    def ejection():
        """The reason for which the first replica is ejected; empty: it is not."""
        told = {one.key: one.left_out for one in backplane.status().runners}
        assert [key for key, text in told.items() if text] in ([], [first.key])
        return told[first.key]

    def wait_until_readmitted():
        behaviour["do"] = lambda: None
        wait_for(lambda: calls(1) == [b'"first"'] and not ejection(), "the replica to be readmitted")
        wait_for(lambda: set(calls(20)) == {b'"first"', b'"second"'}, "calls to go to both")

    return behaviour, calls, ejection, wait_until_readmitted


def test_a_replica_that_fails_is_ejected_and_readmitted(backplane, pair):
    behaviour, calls, ejection, wait_until_readmitted = pair

    def fail():
        raise Refused(grpc.StatusCode.UNAVAILABLE, "not now")

    behaviour["do"] = fail
    text = wait_for(lambda: calls(5) and ejection(), "the replica to be ejected")
    assert text.startswith("left out ") and text.endswith("calls in a row failed")
    assert "left out" in ftl_run(backplane, "ps").stdout
    assert "is left out" in ftl_run(backplane, "status").stdout
    wait_until_readmitted()


def test_a_replica_that_is_far_slower_is_ejected_and_readmitted(pair):
    behaviour, calls, ejection, wait_until_readmitted = pair
    wait_for(lambda: set(calls(20)) == {b'"first"', b'"second"'}, "calls to go to both")
    behaviour["do"] = lambda: time.sleep(2)
    text = wait_for(lambda: calls(8) and ejection(), "the replica to be ejected")
    assert text.endswith("far slower than at the others")
    wait_until_readmitted()


@pytest.mark.parametrize("patient", [True, False])
def test_a_replica_that_does_not_answer_is_ejected(backplane, pair, patient):
    behaviour, calls, ejection, wait_until_readmitted = pair
    met, woken = [], threading.Event()
    behaviour["do"] = lambda: met.append(1) or woken.wait(LONG)
    try:
        if patient:
            held = []  # grpcio cancels a call whose future is freed
            wait_for(lambda: held.append(backplane.call_future("echo.echo")) or len(met) > 2, "calls that hang")
            text = wait_for(lambda: calls(1) == [b'"second"'] and ejection(), "the replica to be ejected")
            assert text.endswith("none has ended for 2 s")
        else:
            text = wait_for(lambda: calls(8, timeout=2) and ejection(), "the replica to be ejected")
            assert text.endswith("far slower than at the others")
    finally:
        woken.set()
    wait_until_readmitted()
