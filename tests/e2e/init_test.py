# SPDX-License-Identifier: Apache-2.0
"""Registration: a Runner registers, the Backplane pings it back and then uses it, until it leaves."""

import subprocess

import pytest
from harness import FTL, LONG, module, wait_for


def test_a_runner_counts_once_it_was_pinged_back(backplane, make_runner):
    runner = make_runner().register()
    assert runner.log[:2] == ["RegisterRunner", "Ping"]
    (shown,) = backplane.runners()
    assert (shown.key, shown.endpoint, shown.language) == (runner.key, runner.endpoint, "test")
    assert (shown.state, shown.managed, shown.deployment_key) == ("idle", False, "")


def test_the_unary_form_of_a_registration(backplane, make_runner):
    runner = make_runner().register_unary()
    assert runner.log == ["Ping"]
    assert [one.key for one in backplane.runners("idle")] == [runner.key]
    key = backplane.deploy(module())
    backplane.wait_live(key)
    assert backplane.call("echo.echo", b'{"text":"unary"}').body == b'{"text":"unary"}'


def test_a_runner_in_the_unary_form_is_lost_by_missed_pings(backplane, make_runner):
    runner = make_runner().register_unary()
    runner.die()
    wait_for(lambda: not backplane.runners(), "the Backplane to miss it")


def test_a_runner_keeps_its_own_key(backplane, make_runner):
    assert make_runner(key="rnr-mine").register().key == "rnr-mine"


def test_a_runner_on_a_unix_socket(backplane, make_runner, tmp_path):
    make_runner(bind=f"unix:{tmp_path}/runner.sock").register()
    backplane.wait_live(backplane.deploy(module()))
    assert backplane.call("echo.echo", b'{"text":"x"}').body == b'{"text":"x"}'


def test_a_runner_that_leaves_is_noticed_at_once(backplane, runner):
    runner.die()
    wait_for(lambda: not backplane.runners(), "the Backplane to notice", 2)


def test_a_duplicate_endpoint_is_refused(backplane, runner, make_runner, refused):
    other = make_runner()
    with refused("ALREADY_EXISTS", runner.endpoint, runner.key):
        other.register(endpoint=runner.endpoint)
    assert [one.key for one in backplane.runners()] == [runner.key]


def test_a_duplicate_key_is_refused(backplane, runner, make_runner, refused):
    with refused("ALREADY_EXISTS", runner.key):
        make_runner(key=runner.key).register()
    assert [one.endpoint for one in backplane.runners()] == [runner.endpoint]


def test_an_unreachable_runner_is_refused(backplane, make_runner, refused):
    with refused("FAILED_PRECONDITION", "http://127.0.0.1:1 ", "ping"):
        make_runner().register(endpoint="http://127.0.0.1:1")
    assert backplane.runners() == []


def test_a_runner_that_answers_a_ping_with_an_error_is_refused(backplane, make_runner, refused):
    runner = make_runner()
    runner.answers_pings = False
    with refused("FAILED_PRECONDITION", runner.endpoint, "pings are off"):
        runner.register()
    assert backplane.runners() == []


def test_an_endpoint_that_is_not_a_runner_is_refused(backplane, make_runner, refused):
    with refused("FAILED_PRECONDITION", backplane.endpoint):
        make_runner().register(endpoint=backplane.endpoint)


@pytest.mark.parametrize("language", ["", "c d", "x" * 64, "c/d", "é", "..\n"])
def test_a_bad_language_is_refused(backplane, make_runner, refused, language):
    with refused("INVALID_ARGUMENT", "language"):
        make_runner().register(language=language)


@pytest.mark.parametrize(
    "endpoint",
    ["", "127.0.0.1:1", "http://", "http://h:99999", "http://h:0", "ftp://h:1", "unix:", "unix:" + "x" * 200],
)
def test_a_bad_endpoint_is_refused(backplane, make_runner, refused, endpoint):
    with refused("INVALID_ARGUMENT"):
        make_runner().register(endpoint=endpoint)
    assert backplane.runners() == []


@pytest.mark.parametrize("key", ["a b", "x" * 200, "../x", "é"])
def test_a_bad_key_is_refused(make_runner, refused, key):
    with refused("INVALID_ARGUMENT", "runner_key"):
        make_runner().register(runner_key=key)


def test_a_registration_without_a_message_is_refused(backplane, refused):
    with refused("INVALID_ARGUMENT", "no message"):
        backplane.rpc.RegisterRunner(iter([]), timeout=LONG)


def test_a_language_in_use_has_a_warm_runner(make_backplane):
    backplane = make_backplane("--warm", "2").start()
    assert backplane.runners() == []
    # The deployment has no files and fails, but its language was in use.
    backplane.create(module(language="c"))
    wait_for(lambda: len(backplane.runners("idle")) >= 1, "a warm Runner")
    assert all(one.managed and one.language == "c" for one in backplane.runners())


def test_a_runner_started_by_hand_is_accepted(backplane, tmp_path):
    command = [FTL, "runner", "--language", "c", "--endpoint", backplane.endpoint, "--work-folder", tmp_path / "work"]
    process = subprocess.Popen(command)
    try:
        (shown,) = wait_for(lambda: backplane.runners("idle"), "the Runner")
        assert (shown.language, shown.managed) == ("c", False)
    finally:
        process.terminate()
        assert process.wait(LONG) == 0
    wait_for(lambda: not backplane.runners(), "the Runner to leave")
