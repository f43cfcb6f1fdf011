# SPDX-License-Identifier: Apache-2.0
"""What ends `ftl serve` and `ftl runner`, and what they leave behind: nothing."""

import json
import re
import signal
import sys
import time

import pytest
from harness import PROGRAM, deploy_program, is_running, module, pid_that_answers, wait_for


@pytest.fixture
def platform(make_backplane, monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    return make_backplane("--start-timeout", "20s", "--drain-timeout", "10s")


# SIGHUP comes from a terminal that closes, SIGXCPU from a limit of processor time, the others from people and scripts.
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2, signal.SIGXCPU, signal.SIGRTMIN + 4])
def test_each_signal_that_ends_a_process_ends_all_that_serve_started(platform, number):
    platform.start()
    platform.wait_live(deploy_program(platform))
    child = pid_that_answers(platform)
    platform.disconnect()
    process, platform.process = platform.process, None
    process.send_signal(number)
    assert process.wait(20) == 0
    assert not is_running(child)
    wait_for(lambda: not platform.processes(), "the end of all processes")
    assert platform.sockets() == []


def test_a_second_sighup_does_not_cut_calls_off(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    call = platform.call_future("echo.sleep")
    wait_for(lambda: platform.runners("alive")[0].calls == 1, "the call")
    process = platform.process
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: "stopping (SIGHUP (Hangup))" in platform.log(), "the first signal")
    process.send_signal(signal.SIGHUP)
    assert b"pid" in call.result().body
    platform.disconnect()
    platform.process = None
    assert process.wait(20) == 0


STUBBORN = PROGRAM.replace(b"lambda *_: stop.set()", b"signal.SIG_IGN").replace(b"time.sleep(1)", b"time.sleep(4)")


def test_a_slow_stop_says_for_whom_it_waits(platform):
    platform.start()
    platform.wait_live(platform.deploy(module("slow", ["echo", "sleep"], "python"), {"main": STUBBORN}))
    child = int(json.loads(platform.call("slow.echo").body)["pid"])
    call = platform.call_future("slow.sleep")
    (runner,) = wait_for(lambda: [one for one in platform.runners("alive") if one.calls == 1], "the call")
    begin = time.monotonic()
    platform.process.send_signal(signal.SIGTERM)
    assert b"pid" in call.result().body
    platform.disconnect()
    process, platform.process = platform.process, None
    assert process.wait(30) == 0
    assert time.monotonic() - begin < 20
    lines = [line.split("backplane: ", 1)[-1] for line in platform.log().splitlines() if "waiting for" in line]
    text = "\n".join(lines)
    assert f"waiting for 1 call in progress, at most 10 s in all: slow on {runner.key}" in text
    assert re.search(f"waiting for \\d Runners? to end, at most [\\d.]+ s: .*slow on {runner.key}", text), text
    assert f"waiting for main of slow, process {child}, which has not ended after SIGTERM; it is killed 10 s after that" in text
    assert len(lines) < 10


def test_a_fast_stop_says_nothing_of_waiting(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    platform.stop()
    assert "waiting for" not in platform.log()


def test_nohup_is_respected(platform):
    platform.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    platform.wait_live(deploy_program(platform))
    platform.process.send_signal(signal.SIGHUP)
    assert pid_that_answers(platform) > 0
    assert platform.process.poll() is None
