# SPDX-License-Identifier: Apache-2.0
"""Logs of modules: published by Runners, kept, read and followed."""

import threading

from fake_backplane import ftl
from harness import LONG, module, wait_for


def entry(message, module="echo", **fields):
    return ftl.LogEntry(
        **{"time_ms": 1_700_000_000_000, "level": "info", "message": message, "module": module, **fields}
    )


def publish(backplane, *entries):
    backplane.rpc.PublishLogs(iter([ftl.PublishLogsRequest(entries=entries)]), timeout=LONG)


def read(backplane, module="", tail=100):
    stream = backplane.rpc.StreamLogs(ftl.StreamLogsRequest(module=module, tail=tail), timeout=LONG)
    return [response.entry for response in stream]


def test_what_is_published_is_read(backplane):
    full = entry("one é", deployment_key="dpl-1", runner_key="rnr-1", level="warn", attributes='{"size":3}')
    publish(backplane, full, entry("two", time_ms=1_700_000_000_001))
    publish(backplane, entry("three", module="other", time_ms=1_700_000_000_002))
    assert wait_for(lambda: (lines := read(backplane)) and len(lines) == 3 and lines, "the lines")[0] == full
    assert [line.message for line in read(backplane, "echo")] == ["one é", "two"]
    assert [line.message for line in read(backplane, tail=2)] == ["two", "three"]
    assert read(backplane, tail=0) == []


def test_an_unknown_module_is_named(backplane, refused):
    backplane.deploy(module())
    assert read(backplane, "echo") == []
    with refused("NOT_FOUND", "there is no module ecko; did you mean echo?"):
        read(backplane, "ecko")
    # A module with lines is known, even when nothing of it was deployed.
    publish(backplane, entry("from before", module="former"))
    assert wait_for(lambda: read(backplane), "the line")
    assert [line.message for line in read(backplane, "former")] == ["from before"]


def ask(backplane, **fields):
    stream = backplane.rpc.StreamLogs(ftl.StreamLogsRequest(**{"tail": 100, **fields}), timeout=LONG)
    return [response.entry.message for response in stream]


def test_lines_are_chosen_by_time_level_request_and_module(backplane, refused):
    """The tail counts those that are chosen, however many others are behind them."""
    of_request = {"attributes": '{"request_id":"req-1","verb":"echo.echo"}'}
    publish(backplane, entry("old", level="error"), entry("mine", **of_request), entry("warned", level="warn", time_ms=1_700_000_000_500))
    publish(backplane, *[entry(f"noise {n}", time_ms=1_700_000_000_001 + n) for n in range(300)])
    publish(backplane, entry("elsewhere", module="time", time_ms=1_700_000_000_900, **of_request),
            entry("far", module="other", level="error", time_ms=1_700_000_001_000))
    wait_for(lambda: len(read(backplane, tail=1000)) == 305, "the lines")
    assert ask(backplane, level="warn") == ["old", "warned", "far"]
    assert ask(backplane, level="error", module="echo") == ["old"]
    assert ask(backplane, request_id="req-1") == ["mine", "elsewhere"]
    assert ask(backplane, since_ms=1_700_000_000_500) == ["warned", "elsewhere", "far"]
    assert ask(backplane, modules=["time", "other"]) == ["elsewhere", "far"]
    assert ask(backplane, module="time", modules=["echo"], level="warn", tail=1) == ["warned"]
    with refused("INVALID_ARGUMENT", 'there is no level "loud"'):
        ask(backplane, level="loud")
    with refused("INVALID_ARGUMENT", "../x"):
        ask(backplane, modules=["../x"])
    with refused("NOT_FOUND", "there is no module nowhere"):
        ask(backplane, modules=["echo", "nowhere"])


def test_a_reader_waits_for_lines_that_are_on_their_way(backplane):
    """As those of a module that has just failed, which its Runner sends a moment late."""
    publisher = threading.Timer(0.03, lambda: publish(backplane, entry("last words")))
    publisher.start()
    assert ask(backplane) == ["last words"]
    publisher.join()


def test_a_follower_gets_what_it_chose(backplane):
    stream = backplane.rpc.StreamLogs(ftl.StreamLogsRequest(follow=True, level="warn", modules=["echo", "time"]), timeout=LONG)
    stream.initial_metadata()
    publish(backplane, entry("no"), entry("not here", level="error", module="other"), entry("yes", level="warn", module="time"))
    assert next(stream).entry.message == "yes"
    stream.cancel()


def test_the_stream_of_a_runner_stays_open(backplane):
    more, ended = threading.Event(), threading.Event()

    def messages():
        yield ftl.PublishLogsRequest(entries=[entry("first")])
        more.wait(LONG)
        yield ftl.PublishLogsRequest(entries=[entry("second")])
        ended.wait(LONG)

    call = backplane.rpc.PublishLogs.future(messages())
    wait_for(lambda: [line.message for line in read(backplane)] == ["first"], "the first line")
    more.set()
    wait_for(lambda: [line.message for line in read(backplane)] == ["first", "second"], "the second line")
    ended.set()
    call.result(timeout=LONG)


def test_new_lines_are_followed(backplane):
    publish(backplane, entry("old"))
    wait_for(lambda: read(backplane), "the line")
    stream = backplane.rpc.StreamLogs(ftl.StreamLogsRequest(module="echo", tail=10, follow=True), timeout=LONG)
    assert next(stream).entry.message == "old"
    publish(backplane, entry("of another", module="other"), entry("new"))
    assert next(stream).entry.message == "new"
    stream.cancel()


def test_a_follower_gets_each_line_once_and_in_order(backplane):
    """Lines of the tail, lines that are published while it is read, and lines after it."""
    LINES = 3000
    publish(backplane, *[entry(f"{number}") for number in range(LINES)])
    ended = threading.Event()

    def messages():
        number = LINES
        while not ended.is_set():
            yield ftl.PublishLogsRequest(entries=[entry(f"{number}"), entry(f"{number + 1}")])
            number += 2

    call = backplane.rpc.PublishLogs.future(messages())
    request = ftl.StreamLogsRequest(module="echo", tail=LINES, follow=True)
    streams = [backplane.rpc.StreamLogs(request, timeout=LONG) for _ in range(3)]
    for stream in streams:
        got = [int(next(stream).entry.message) for _ in range(LINES + 500)]
        stream.cancel()
        assert got == list(range(got[0], got[0] + len(got)))
    ended.set()
    call.result(timeout=LONG)


def test_logs_survive_a_kill(backplane):
    publish(backplane, entry("kept"))
    wait_for(lambda: read(backplane), "the line")
    backplane.kill()
    backplane.start()
    assert [line.message for line in read(backplane)] == ["kept"]


def test_long_lines_and_many(backplane):
    publish(backplane, *[entry(f"{number} " + "x" * 2000) for number in range(500)])
    publish(backplane, entry("last"))
    wait_for(lambda: (lines := read(backplane, tail=1)) and lines[0].message == "last", "the last line")
    assert len(read(backplane, tail=200)) == 200


def test_a_follower_that_stalls_delays_nobody(backplane):
    stream = backplane.rpc.StreamLogs(ftl.StreamLogsRequest(tail=0, follow=True), timeout=LONG)
    for _ in range(60):
        publish(backplane, *[entry("x" * 8000) for _ in range(30)])
    publish(backplane, entry("last"))
    wait_for(lambda: (lines := read(backplane, tail=1)) and lines[0].message == "last", "the last line")
    stream.cancel()
