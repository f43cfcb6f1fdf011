# SPDX-License-Identifier: Apache-2.0
"""Children that stay and answer nothing, and children that are only busy."""

import json
import os
import signal
import sys
import time

import grpc
import pytest
from fake_backplane import ftl
from harness import PROGRAM, artefact, is_running, module, pid_that_answers, wait_for

PING_MS = 200

# A verb of one thread, which sleeps as long as the request says; "deafen" closes the port, and the process stays.
VERBS = """        if request.verb.name == "deafen":
            threading.Timer(0.1, server.stop, [0]).start()
        if request.verb.name == "sleep":
            time.sleep(json.loads(request.body)["seconds"])
        if request.verb.name == "work":
            pool.submit(work, json.loads(request.body)["seconds"])  # after the answer
"""
WORK = """
def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

pool = ThreadPoolExecutor(1)
server = grpc.server(pool)
"""
ONE_AT_A_TIME = (
    PROGRAM.decode()
    .replace("server = grpc.server(ThreadPoolExecutor(4))\n", WORK)
    .replace('        if request.verb.name == "sleep":\n            time.sleep(1)\n', VERBS)
    .encode()
)
SHELL = b"#!/bin/sh\n./program\n"


@pytest.fixture
def platform(make_backplane, monkeypatch, request):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    ping = getattr(request, "param", f"{PING_MS}ms")
    return make_backplane("--start-timeout", "20s", "--drain-timeout", "2s", "--child-ping", ping).start()


def deploy(platform, replicas=1, files=None):
    files = files or {"main": ONE_AT_A_TIME}
    for content in files.values():
        platform.upload(content)
    artefacts = [artefact(path, content, executable=True) for path, content in files.items()]
    schema = module(verbs=["echo", "sleep", "deafen", "work"], language="python")
    key = platform.create(schema, artefacts, replicas).deployment_key
    platform.wait_live(key)
    return key


def events(platform):
    request = ftl.StreamEventsRequest(module="echo", tail=1000)
    return [one.event for one in platform.rpc.StreamEvents(request, timeout=20)]


def event_texts(platform, kind):
    return [one.text for one in events(platform) if one.kind == kind]


def pids_that_answer(platform, count):
    pids = set()
    wait_for(lambda: pids.add(pid_that_answers(platform)) or len(pids) == count, "all replicas")
    return pids


def sleeping(platform, seconds, timeout=20):
    call = platform.call_future("echo.sleep", json.dumps({"seconds": seconds}).encode(), timeout=timeout)
    wait_for(lambda: sum(one.calls for one in platform.runners("alive")) > 0, "the call")
    return call


def test_all_children_that_are_stopped_are_replaced_with_their_calls_in_progress(platform):
    deploy(platform, replicas=2)
    pids = pids_that_answer(platform, 2)
    call = sleeping(platform, 0.2)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(grpc.RpcError) as failed:
        call.result()
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "may have run" in failed.value.details()
    wait_for(lambda: not any(is_running(pid) for pid in pids), "the end of both", 10)
    assert not pids_that_answer(platform, 2) & pids
    texts = event_texts(platform, ftl.EVENT_KIND_DEPLOYMENT_BACKING_OFF)
    assert [text for text in texts if "main hung, and was killed: it was stopped by a signal and missed 3 pings" in text], texts


def test_what_hangs_is_a_problem_until_it_is_stable_again(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    assert list(platform.status().problems) == []
    os.kill(pid, signal.SIGSTOP)
    (problem,) = wait_for(lambda: list(platform.status().problems), "a problem", 5)
    assert "main hung" in problem
    assert pid_that_answers(platform) != pid
    wait_for(lambda: list(platform.status().problems) == [], "no problem", 10)


def test_a_stopped_child_of_a_shell_script_is_replaced(platform):
    deploy(platform, files={"main": SHELL, "program": ONE_AT_A_TIME})
    pid = pid_that_answers(platform)
    call = sleeping(platform, 0.2)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(grpc.RpcError):
        call.result()
    assert pid_that_answers(platform) != pid
    assert not is_running(pid)


def test_a_child_that_closed_its_port_is_replaced(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    platform.call("echo.deafen")
    wait_for(lambda: not is_running(pid), "its end", 10)
    assert pid_that_answers(platform) != pid
    texts = event_texts(platform, ftl.EVENT_KIND_DEPLOYMENT_BACKING_OFF)
    assert [text for text in texts if "it had no call to answer and missed 3 pings" in text], texts


def test_a_child_whose_calls_take_long_stays(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    call = sleeping(platform, 3)
    problem = wait_for(lambda: list(platform.status().problems), "the problem", 3)[0]
    assert "main does not answer pings; it may be busy, as 1 call is in progress there" in problem
    assert platform.runners("alive")[0].trouble in problem
    assert b"pid" in call.result().body
    assert pid_that_answers(platform) == pid
    wait_for(lambda: list(platform.status().problems) == [], "no problem", 5)
    assert len(event_texts(platform, ftl.EVENT_KIND_RUNNER_SILENT)) == 1
    wait_for(lambda: "its child answers pings again" in event_texts(platform, ftl.EVENT_KIND_RUNNER_ALIVE), "the event")


def test_a_child_whose_caller_left_may_finish(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    with pytest.raises(grpc.RpcError) as failed:
        sleeping(platform, 3, timeout=0.5).result()
    assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    time.sleep(2)
    assert is_running(pid)
    assert pid_that_answers(platform) == pid


def test_a_child_that_works_without_a_call_has_more_time(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    platform.call("echo.work", b'{"seconds":2}')
    wait_for(lambda: any("busy with something else" in one for one in platform.status().problems), "the problem", 3)
    assert pid_that_answers(platform) == pid
    # For ever is too long.
    platform.call("echo.work", b'{"seconds":1000}')
    wait_for(lambda: not is_running(pid), "its end", 10)
    assert pid_that_answers(platform) != pid


@pytest.mark.parametrize("platform", ["0s"], indirect=True)
def test_no_child_is_pinged_with_an_interval_of_0(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    assert is_running(pid)
    os.kill(pid, signal.SIGCONT)
    assert pid_that_answers(platform) == pid


def test_a_runner_that_slept_with_its_child_blames_nobody(platform):
    deploy(platform)
    pid = pid_that_answers(platform)
    runner = int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1])
    for one in (pid, runner):
        os.kill(one, signal.SIGSTOP)
    time.sleep(1.5)
    for one in (runner, pid):
        os.kill(one, signal.SIGCONT)
    assert pid_that_answers(platform) == pid


# Each life ends soon after it was alive.
SHORT_LIVED = PROGRAM.replace(b"stop.wait()\nserver", b"stop.wait(0.3)\nos._exit(7)\nserver")


def test_a_module_that_crashes_again_and_again_is_always_a_problem(platform):
    deploy(platform, files={"main": SHORT_LIVED})
    wait_for(lambda: list(platform.status().problems), "the first crash")
    until = time.monotonic() + 4
    while time.monotonic() < until:
        status = platform.status()
        (deployment,) = status.deployments
        assert len(status.problems) == 1, status
        assert "exited with status 7" in status.problems[0], (deployment, status.problems)
        time.sleep(0.005)


def test_a_deployment_that_loses_its_runners_is_a_problem_before_it_fails(platform):
    program = b"#!/bin/sh\nkill -9 $PPID\n"
    platform.upload(program)
    schema = module(language="sh")
    key = platform.create(schema, [artefact("main", program, executable=True)], 1).deployment_key
    problems = []

    def has_failed():
        status = platform.status()
        (deployment,) = status.deployments
        if deployment.state == ftl.DEPLOYMENT_STATE_STARTING and status.problems:
            problems.extend(status.problems)
        return deployment.state == ftl.DEPLOYMENT_STATE_FAILED

    wait_for(has_failed, "the failure")
    assert [one for one in problems if f"echo: {key} is being brought up, and failed 1 time in a row" in one], problems
    assert len(platform.status().problems) == 1
