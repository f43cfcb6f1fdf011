# SPDX-License-Identifier: Apache-2.0
"""The Backplane stops or is killed, and starts again on the same data: nothing is deployed again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import grpc
import pytest
from fake_backplane import ftl, ftl_grpc, schema
from harness import (
    FTL,
    LONG,
    SANITIZED,
    call_when_up,
    deploy_program,
    is_running,
    module,
    pid_that_answers,
    processes_that_name,
    wait_for,
)

SOON = 2 if not SANITIZED else 10


# --- Runners that the test plays --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["stream", "unary"])
def test_a_runner_is_found_again_without_deploying(backplane, make_runner, form):
    runner = make_runner()
    register = runner.register if form == "stream" else runner.register_unary
    register()
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.kill()
    runner.log.clear()
    backplane.start()
    begin = time.monotonic()
    register(deployment_key=key)
    assert call_when_up(backplane, "echo.echo", SOON).body == b"{}"
    assert time.monotonic() - begin < SOON
    assert "Deploy" not in runner.log
    (shown,) = backplane.runners()
    assert (shown.key, shown.state, shown.deployment_key) == (runner.key, "alive", key)
    (deployment,) = backplane.status().deployments
    assert (deployment.key, deployment.state, deployment.alive) == (key, ftl.DEPLOYMENT_STATE_LIVE, 1)


def test_all_of_many_deployments_are_found_again(backplane, make_runner):
    keys = {}
    for number in range(12):
        name = f"module{number}"
        runner = make_runner(language=name).register()
        keys[name] = (runner, backplane.deploy(module(name, language=name)))
        backplane.wait_live(keys[name][1])
    backplane.kill()
    backplane.start()
    for runner, key in keys.values():
        runner.register(deployment_key=key)
    for name in keys:
        assert call_when_up(backplane, f"{name}.echo", SOON).body == b"{}"
    assert {one.module: one.key for one in backplane.status().deployments} == {n: key for n, (_, key) in keys.items()}


def test_a_runner_that_hosts_a_killed_deployment_is_told_to_end(backplane, make_runner):
    runner = make_runner().register()
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    wait_for(lambda: backplane.runners("idle"), "the Runner to be idle")
    backplane.kill()
    backplane.start()
    runner.register(deployment_key=key)
    assert runner.terminated.get(timeout=LONG).deployment_key in ("", key)
    with pytest.raises(grpc.RpcError) as caught:
        backplane.call("echo.echo")
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "stopped" in caught.value.details()


def test_a_runner_that_does_not_come_back_is_replaced(backplane, make_runner):
    runner = make_runner().register()
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.kill()
    runner.die()
    backplane.start()
    fresh = make_runner().register()
    assert call_when_up(backplane, "echo.echo", LONG).body == b"{}"
    assert fresh.hosts == key


def test_a_deployment_that_was_starting_starts_again(backplane, make_runner):
    runner = make_runner().register()
    runner.brings_up = False
    key = backplane.deploy(module())
    assert runner.deploys.get(timeout=LONG) == key
    backplane.kill()
    backplane.start()
    runner.brings_up = True
    runner.register()
    assert runner.deploys.get(timeout=LONG) == key
    backplane.wait_live(key)


def test_a_replacement_that_was_starting_leaves_the_active_one(backplane, make_runner):
    old = make_runner(verbs={"echo": lambda *_: b'"old"'}).register()
    first = backplane.deploy(module())
    backplane.wait_live(first)
    new = make_runner(verbs={"echo": lambda *_: b'"new"'}).register()
    new.brings_up = False
    second = backplane.deploy(module(comments=["2"]))
    assert new.deploys.get(timeout=LONG) == second
    backplane.kill()
    backplane.start()
    old.register(deployment_key=first)
    assert call_when_up(backplane, "echo.echo", SOON).body == b'"old"'
    new.brings_up = True
    new.register()
    backplane.wait_live(second)
    assert call_when_up(backplane, "echo.echo", SOON).body == b'"new"'


def test_the_reason_of_a_failure_is_known_after_a_restart(backplane, runner, refused):
    runner.failure = "its configuration is missing"
    key = backplane.deploy(module())
    assert backplane.watch(key)[-1].state == ftl.DEPLOYMENT_STATE_FAILED
    time.sleep(0.2)  # it is stored after it is told
    backplane.kill()
    backplane.start()
    with refused("UNAVAILABLE", "its configuration is missing"):
        backplane.call("echo.echo")
    last = backplane.watch(key)[-1]
    assert last.state == ftl.DEPLOYMENT_STATE_FAILED and "its configuration is missing" in last.text


# --- Runners of the Platform ------------------------------------------------------------------------------------


@pytest.fixture
def python_path(monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))


@pytest.fixture
def platform(make_backplane, python_path):
    """A Backplane whose Runners are real processes, made by its Platform."""
    return make_backplane("--orphan-timeout", "60s", "--drain-timeout", "10s")


def test_a_killed_backplane_finds_its_runners(platform):
    platform.start()
    key = deploy_program(platform, replicas=2)
    platform.wait_live(key)
    runners = {one.key for one in platform.runners("alive")}
    pids = {pid_that_answers(platform) for _ in range(30)}
    assert len(runners) == len(pids) == 2
    platform.kill()
    platform.start()
    begin = time.monotonic()
    assert pid_that_answers(platform, SOON) in pids
    assert time.monotonic() - begin < SOON
    wait_for(lambda: len(platform.runners("alive")) == 2, "both Runners")
    assert {one.key for one in platform.runners("alive")} == runners
    assert all(one.managed for one in platform.runners())
    assert {pid_that_answers(platform) for _ in range(30)} == pids
    assert [(one.key, one.state) for one in platform.status().deployments] == [(key, ftl.DEPLOYMENT_STATE_LIVE)]


def test_calls_wait_for_runners_that_come_back(platform):
    """A call right after the start waits for the Runners instead of failing."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    for _ in range(3):
        platform.kill()
        platform.start()
        calls = [platform.call_future("echo.echo") for _ in range(200)]
        assert {json.loads(call.result().body)["pid"] for call in calls} == {pid}


def test_calls_wait_for_a_child_that_is_started_again(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    os.kill(pid, signal.SIGKILL)
    calls = [platform.call_future("echo.echo") for _ in range(20)]
    for call in calls:
        error = call.exception()
        # The first calls may have reached the child before it died.
        assert error is None or "may have run" in error.details(), error
    wait_for(lambda: pid_that_answers(platform) != pid, "the next child")


def test_calls_wait_no_longer_than_max_hold(backplane, make_runner, refused):
    runner = make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    backplane.kill()
    runner.die()
    backplane.start()
    slow = make_runner()
    slow.brings_up = False
    slow.register()
    begin = time.monotonic()
    with refused("UNAVAILABLE", "nothing of the module echo is alive", "max-hold"):
        backplane.call("echo.echo")
    assert time.monotonic() - begin >= 4
    with refused("DEADLINE_EXCEEDED"):
        backplane.call("echo.echo", timeout=0.2)


def test_no_more_calls_wait_than_max_held_calls(backplane, make_runner):
    runner = make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    backplane.kill()
    runner.die()
    backplane.start()
    slow = make_runner()
    slow.brings_up = False
    slow.register()
    channels = [backplane.new_channel() for _ in range(16)]
    request = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b"{}")
    calls = [
        ftl_grpc.VerbServiceStub(channel).Call.future(request, timeout=LONG) for channel in channels for _ in range(150)
    ]
    told = [call.exception().details() for call in calls]
    assert any("max-held-calls is 1000" in text for text in told)
    assert sum("max-hold)" in text for text in told) <= 2000
    for channel in channels:
        channel.close()


def test_a_backplane_that_was_stalled_loses_nothing(platform):
    """The stall is so long that the Runners give up their connections and register again."""
    platform.start()
    platform.wait_live(deploy_program(platform, replicas=2))
    pids = {pid_that_answers(platform) for _ in range(30)}
    slow = platform.call_future("echo.sleep")
    time.sleep(0.1)
    platform.process.send_signal(signal.SIGSTOP)
    calls = [platform.call_future("echo.echo") for _ in range(20)]
    time.sleep(5.5)
    platform.process.send_signal(signal.SIGCONT)
    assert {json.loads(call.result().body)["pid"] for call in [slow, *calls]} <= pids
    assert len(platform.runners("alive")) == 2
    # A replica that seemed slow because of the stall is ejected for a moment.
    wait_for(lambda: {pid_that_answers(platform) for _ in range(30)} == pids, "both to take calls again")


def test_a_backplane_that_is_killed_several_times_finds_its_runners(platform):
    platform.start()
    key = deploy_program(platform)
    platform.wait_live(key)
    pid = pid_that_answers(platform)
    for _ in range(5):
        platform.kill()
        platform.start()
        assert pid_that_answers(platform, SOON) == pid


def test_a_found_runner_that_dies_is_replaced(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    platform.kill()
    platform.start()
    assert pid_that_answers(platform, SOON) == pid
    (runner,) = platform.runners("alive")
    ((runner_pid, _),) = [one for one in processes_that_name(runner.key) if "runner" in one[1].split()]
    os.kill(runner_pid, signal.SIGKILL)
    wait_for(lambda: runner.key not in {one.key for one in platform.runners()}, "the death to be noticed", 5)
    assert pid_that_answers(platform) != pid


def test_a_runner_without_a_pid_file_is_found(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    (runner,) = platform.runners("alive")
    platform.kill()
    run = platform.data / "run"
    (run / f"{runner.key}.pid").rename(run / f"{runner.key}.pid.abcdef")  # its name until it is whole
    platform.start()
    assert pid_that_answers(platform, SOON) == pid
    assert [(one.key, one.managed) for one in platform.runners("alive")] == [(runner.key, True)]
    assert (run / f"{runner.key}.pid").exists() and not (run / f"{runner.key}.pid.abcdef").exists()


def test_runners_without_a_backplane_stop_by_themselves(make_backplane, python_path):
    backplane = make_backplane("--orphan-timeout", "1s").start()
    backplane.wait_live(deploy_program(backplane))
    pid = pid_that_answers(backplane)
    assert backplane.processes()
    backplane.kill()
    wait_for(lambda: not backplane.processes(), "the Runners to stop")
    wait_for(lambda: not is_running(pid), "the deployment to stop")
    assert backplane.sockets() == [str(backplane.data / "takeover.sock")]  # of the killed Backplane
    backplane.start()
    assert pid_that_answers(backplane) != pid


def test_a_platform_that_cannot_list_its_runners_ends_the_start(tmp_path):
    data, port_file = tmp_path / "data", tmp_path / "endpoint"
    data.mkdir()
    (data / "run").write_text("")  # a file where the local Platform has its folder; root, too, cannot read it as one
    command = [FTL, "serve", "--bind", "http://127.0.0.1:0", "--data", data, "--port-file", port_file]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LONG)
    assert result.returncode == 1
    assert str(data / "run") in result.stderr
    assert not port_file.exists()


def test_sigterm_leaves_nothing(platform):
    platform.start()
    platform.wait_live(deploy_program(platform, replicas=2))
    pids = {pid_that_answers(platform) for _ in range(30)}
    wait_for(lambda: platform.runners("idle"), "a warm Runner")
    platform.stop()
    assert not any(is_running(pid) for pid in pids)
    assert list((platform.data / "run").iterdir()) == []


def test_sigterm_after_a_kill_leaves_nothing(platform):
    """The Runners are children of the killed Backplane, not of this one."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    platform.kill()
    platform.start()
    assert pid_that_answers(platform, SOON) == pid
    platform.stop()
    assert not is_running(pid)
    assert list((platform.data / "run").iterdir()) == []


def test_sigterm_at_once_after_a_kill_leaves_nothing(platform):
    """The stop comes before any Runner registers again."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    platform.kill()
    platform.start()
    platform.stop()
    assert not is_running(pid)
    assert list((platform.data / "run").iterdir()) == []


def test_sigterm_while_requests_arrive(make_backplane):
    """A worker connects to the control side when its first request comes that is not a call."""
    backplane = make_backplane("--warm", "0", "--threads", "4")
    request = b"POST /xyz.block.ftl.v1.BackplaneService/Status HTTP/1.1\r\nHost: localhost\r\n"
    request += b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    for turn in range(30):
        backplane.start()
        host, port = backplane.target.split(":")
        connections = [socket.create_connection((host, int(port))) for _ in range(16)]
        backplane.process.send_signal(signal.SIGTERM)
        time.sleep(turn * 0.0001)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(request)
            time.sleep(0.0001)
        backplane.process.wait(LONG)
        backplane.stop()
        for connection in connections:
            connection.close()


def test_sigterm_while_it_starts_leaves_no_socket(tmp_path):
    data, socket_path = tmp_path / "data", tmp_path / "socket"
    command = [FTL, "serve", "--bind", f"unix:{socket_path}", "--data", data, "--port-file", tmp_path / "endpoint"]
    for _ in range(20):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not socket_path.exists():
            assert process.poll() is None
        process.terminate()
        assert process.wait(LONG) == 0
        assert [path for path in tmp_path.rglob("*") if path.is_socket()] == []
        assert not (tmp_path / "endpoint").exists()


def test_sigterm_while_a_deployment_starts_leaves_nothing(platform):
    platform.start()
    for number in range(3):
        deploy_program(platform, f"module{number}")
    platform.stop()


def test_sigterm_lets_calls_finish(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    call = platform.call_future("echo.sleep")
    time.sleep(0.3)
    process = platform.process
    process.terminate()
    assert b"pid" in call.result().body
    assert process.wait(LONG) == 0
    platform.stop()


def test_a_deployment_comes_back_after_sigterm(platform):
    platform.start()
    key = deploy_program(platform)
    platform.wait_live(key)
    pid = pid_that_answers(platform)
    platform.stop()
    platform.start()
    assert pid_that_answers(platform) != pid
    assert [one.key for one in platform.status().deployments] == [key]


def test_an_unmanaged_runner_outlives_the_backplane(make_backplane, python_path, tmp_path):
    backplane = make_backplane("--warm", "0", "--drain-timeout", "2s").start()
    command = [
        FTL,
        "runner",
        "--language",
        "python",
        "--endpoint",
        backplane.endpoint,
        "--work-folder",
        tmp_path / "work",
    ]
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: backplane.runners("idle"), "the Runner")
        key = deploy_program(backplane)
        backplane.wait_live(key)
        pid = pid_that_answers(backplane)
        backplane.kill()
        backplane.start()
        assert pid_that_answers(backplane, SOON) == pid
    finally:
        process.terminate()
        assert process.wait(LONG) == 0
    assert not is_running(pid)


def test_sockets_that_a_cleaner_removes_are_made_again(make_backplane, monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    backplane = make_backplane("--warm", "0")
    backplane.endpoint = f"unix:{backplane.folder}/front"
    backplane.start()
    backplane.wait_live(deploy_program(backplane))
    pid = pid_that_answers(backplane)
    sockets = [path for path in backplane.folder.rglob("*") if path.is_socket()]
    assert len(sockets) == 3  # the port of the Backplane, that of the Runner, and takeover.sock
    for path in sockets:
        path.unlink()
    wait_for(lambda: all(path.is_socket() for path in sockets), "the sockets", 5)
    # New connections find both: those of this client, and those of the next Backplane.
    backplane.connect()
    assert pid_that_answers(backplane) == pid
    old = backplane.process
    backplane.start("--takeover")
    assert old.wait(LONG) == 0
    assert pid_that_answers(backplane) == pid
    backplane.kill()
    backplane.start()
    assert pid_that_answers(backplane) == pid
