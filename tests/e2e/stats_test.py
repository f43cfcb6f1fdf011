# SPDX-License-Identifier: Apache-2.0
"""The statistics of verbs that the Backplane keeps."""

import json
import os
import subprocess
import threading

import grpc
import pytest
from fake_backplane import ftl
from harness import FTL, LONG, Refused, module, wait_for


@pytest.fixture
def echo(backplane, make_runner):
    runner = make_runner().register()
    backplane.wait_live(backplane.deploy(module(verbs=["echo", "shout"])))
    return runner


def stats(backplane, name=""):
    response = backplane.rpc.CallStats(ftl.CallStatsRequest(module=name), timeout=LONG)
    return {f"{one.module}.{one.verb}": one for one in response.verbs}


def ended(verb):
    return {one.status: one.calls for one in verb.ended}


def wait_for_calls(backplane, verb, count):
    """Waits until so many calls are counted: the caller may have its answer before the call is counted."""
    return wait_for(lambda: (found := stats(backplane)[verb]).calls == count and found, "the calls to be counted")


def run_ftl(backplane, *arguments):
    environment = {**os.environ, "FTL_ENDPOINT": backplane.endpoint, "NO_COLOR": "1"}
    return subprocess.run([FTL, *arguments], env=environment, capture_output=True, text=True, timeout=LONG)


def test_a_verb_that_nobody_called_has_no_calls(backplane, echo):
    found = stats(backplane)
    assert sorted(found) == ["echo.echo", "echo.shout"]
    assert [(one.calls, one.under_way, len(one.ended), len(one.buckets)) for one in found.values()] == [(0, 0, 0, 0)] * 2


def test_calls_are_counted_by_how_they_ended(backplane, echo, refused):
    def verb(request, context):
        raise Refused(grpc.StatusCode.ABORTED, "not now")

    for _ in range(3):
        backplane.call("echo.echo")
    echo.verbs["shout"] = verb
    with refused("ABORTED"):
        backplane.call("echo.shout")
    echo.verbs["shout"] = lambda *_: ftl.CallResponse(error=ftl.CallResponse.Error(message="no voice"))
    backplane.call("echo.shout")
    found = wait_for_calls(backplane, "echo.echo", 3)
    assert ended(found) == {"OK": 3}
    assert (found.verb_failed, found.under_way) == (0, 0)
    found = wait_for_calls(backplane, "echo.shout", 2)
    assert ended(found) == {"OK": 1, "Aborted": 1}
    assert found.verb_failed == 1


def test_a_call_that_the_router_refuses_is_counted(backplane, echo, refused):
    with refused("FAILED_PRECONDITION", "loop"):
        backplane.call("echo.echo", metadata=[("ftl-verb", "echo.echo")])
    assert ended(wait_for_calls(backplane, "echo.echo", 1)) == {"FailedPrecondition": 1}
    with refused("NOT_FOUND"):
        backplane.call("echo.nothing")
    assert sorted(stats(backplane)) == ["echo.echo", "echo.shout"]


def test_times_and_buckets_agree(backplane, echo):
    release = threading.Event()
    echo.verbs["shout"] = lambda request, context: release.wait(0.2) and b"{}" or b"{}"
    backplane.call("echo.shout")
    found = wait_for_calls(backplane, "echo.shout", 1)
    assert found.max_us >= 200_000
    assert found.sum_us == found.max_us
    assert found.p50_us == found.p999_us
    assert found.max_us * 7 / 8 <= found.p50_us <= found.max_us
    (bucket,) = found.buckets
    assert bucket.calls == 1
    assert found.max_us < bucket.below_us <= found.max_us * 1.25 + 1


def test_calls_in_progress_are_shown(backplane, echo):
    release = threading.Event()
    echo.verbs["shout"] = lambda request, context: release.wait(LONG) and b"{}"
    calls = [backplane.call_future("echo.shout") for _ in range(4)]
    wait_for(lambda: stats(backplane)["echo.shout"].under_way == 4, "four calls under way")
    wait_for(lambda: [one.calls for one in backplane.runners()] == [4], "four calls of the Runner")
    release.set()
    for call in calls:
        call.result()
    wait_for_calls(backplane, "echo.shout", 4)
    assert stats(backplane)["echo.shout"].under_way == 0
    assert [one.calls for one in backplane.runners()] == [0]


def test_a_cancelled_call_is_counted_once(backplane, echo):
    entered, release = threading.Event(), threading.Event()

    def verb(request, context):
        entered.set()
        release.wait(LONG)
        return b"{}"

    echo.verbs["shout"] = verb
    call = backplane.call_future("echo.shout")
    assert entered.wait(LONG)
    call.cancel()
    found = wait_for_calls(backplane, "echo.shout", 1)
    release.set()
    assert ended(found) == {"Cancelled": 1}
    assert found.under_way == 0


def test_counts_outlive_a_replacement_and_a_stop(backplane, echo, make_runner):
    backplane.call("echo.echo")
    wait_for_calls(backplane, "echo.echo", 1)
    make_runner().register()
    backplane.wait_live(backplane.deploy(module(verbs=["echo", "whisper"])))
    backplane.call("echo.echo")
    wait_for_calls(backplane, "echo.echo", 2)
    assert sorted(stats(backplane)) == ["echo.echo", "echo.whisper"]
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"), timeout=LONG)
    assert stats(backplane)["echo.echo"].calls == 2


def test_the_statistics_of_one_module(backplane, echo, make_runner, refused):
    make_runner(language="other").register()
    backplane.wait_live(backplane.deploy(module("other", language="other")))
    assert sorted(stats(backplane)) == ["echo.echo", "echo.shout", "other.echo"]
    assert sorted(stats(backplane, "other")) == ["other.echo"]
    with refused("NOT_FOUND", "othr", "did you mean other?"):
        stats(backplane, "othr")


def test_ftl_stats(backplane, echo):
    silent = run_ftl(backplane, "stats")
    assert (silent.returncode, silent.stdout) == (0, "")
    backplane.call("echo.echo")
    wait_for_calls(backplane, "echo.echo", 1)
    title, *rows = [line.split() for line in run_ftl(backplane, "stats").stdout.splitlines()]
    assert title == ["VERB", "CALLS", "NOW", "FAILED", "P50", "P90", "P99", "MAX", "FAILURES"]
    assert [row[:4] for row in rows] == [["echo.echo", "1", "0", "0"]]
    rows = run_ftl(backplane, "stats", "echo", "--all").stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["echo.echo", "echo.shout"]
    answer = json.loads(run_ftl(backplane, "stats", "-o", "json").stdout)
    assert [(one["verb"], one["calls"], one["ended"]) for one in answer["verbs"]] == [
        ("echo", 1, [{"status": "OK", "calls": 1}])
    ]
    wrong = run_ftl(backplane, "stats", "ecko")
    said = "error: there is no module ecko; did you mean echo?\nhint: ftl ps shows the modules that are deployed\n"
    assert (wrong.returncode, wrong.stderr) == (1, said)
