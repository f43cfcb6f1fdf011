# SPDX-License-Identifier: Apache-2.0
"""What ends `ftl serve` and `ftl runner`, and what they leave behind: nothing."""

import json
import signal
import sys

import pytest
from harness import deploy_program, is_running, pid_that_answers, wait_for


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


def test_nohup_is_respected(platform):
    platform.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    platform.wait_live(deploy_program(platform))
    platform.process.send_signal(signal.SIGHUP)
    assert pid_that_answers(platform) > 0
    assert platform.process.poll() is None
