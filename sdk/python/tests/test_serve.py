# SPDX-License-Identifier: Apache-2.0
"""A module as its Runner sees it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from grpc import StatusCode
from peers import Child

from ftl._serve import STATUS_MAX, shortened

EVERYTHING = {
    "whole": 9223372036854775807,
    "real": 0.1,
    "text": "Zoë",
    "flag": True,
    "raw": "AAH/",
    "at": "2024-02-29T12:00:00.5+02:00",
    "items": [{"name": "a", "count": 2}],
    "counts": {"x": -1},
    "mood": "happy",
    "anything": [None, {"deep": 1.5}],
    "maybe": "yes",
    "tags": ["t"],
}
START = [sys.executable, str(Path(__file__).parent / "sample.py")]


def test_it_answers_ping_and_list(child: Child) -> None:
    child.ping()
    assert {"sample.same", "sample.fail", "sample.hidden"} <= set(child.list())


@pytest.mark.parametrize("letters", [0, 1, 2])
def test_the_text_of_a_long_refusal_ends_at_a_character(letters: int) -> None:
    assert shortened("x" * letters + "日" * 1364) == "x" * letters + "日" * 1364
    cut = shortened("x" * letters + "日" * 1366)
    assert cut == "x" * letters + "日" * ((STATUS_MAX - 3 - letters) // 3) + "…"


def test_the_text_of_a_refusal_holds_no_half_of_a_surrogate() -> None:
    assert shortened("a\ud800b") == "a?b"


def test_it_serves_on_a_unix_socket(start: Callable[..., Child], tmp_path: Path) -> None:
    assert start(bind=f"unix:{tmp_path / 'socket'}").call("speak", {"text": "x"}) == {"text": "x"}


def test_a_value_of_each_type_comes_back(child: Child) -> None:
    answer = child.call("same", EVERYTHING)
    assert answer == {**EVERYTHING, "at": "2024-02-29T12:00:00.500000+02:00"}


def test_it_takes_as_many_headers_as_a_runner(child: Child) -> None:
    many = [(f"x-{number}", "y" * 1000) for number in range(40)]
    for _ in range(20):  # gRPC refuses some at random below its limit
        assert child.call("speak", {"text": "x"}, metadata=many) == {"text": "x"}


def test_what_is_optional_may_be_missing_or_null(child: Child) -> None:
    absent = {name: value for name, value in EVERYTHING.items() if name not in ("maybe", "tags")}
    for body in (absent, {**absent, "maybe": None, "tags": None}):
        answer = child.call("same", {**body, "items": [{"name": "a"}]})
        assert answer["tags"] == []
        assert answer["items"] == [{"name": "a", "count": 1}]
        assert "maybe" not in answer


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "request: expected JSON: Expecting value: line 1 column 1"),
        (b"\xff", "request: expected JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100000, "request: expected JSON, got one that is nested deeper than 100"),
        (b'{"text":"a","text":"b"}', "request.text: the key occurs twice"),
        ({"text": 5}, "request.text: expected String, got number"),
        ({"text": None}, "request.text: expected String, got null"),
        ({}, "request.text: the field is missing"),
        ({"txet": "x"}, 'request: unknown field "txet"; did you mean "text"?'),
        ({"text": "", "x" * 9000: 1}, 'request: unknown field "xxx'),
    ],
)
def test_a_body_that_does_not_fit_is_refused(child: Child, body: object, problem: str) -> None:
    code, details = child.refusal("fail", body)
    assert code is StatusCode.INVALID_ARGUMENT
    assert details.startswith(problem)


def test_the_path_leads_into_arrays_and_maps(child: Child) -> None:
    items = [{"name": "a"}, {"name": 1}]
    assert (
        child.refusal("same", {**EVERYTHING, "items": items})[1] == "request.items[1].name: expected String, got number"
    )
    counts = {"a": 1, "b c": "1"}
    assert (
        child.refusal("same", {**EVERYTHING, "counts": counts})[1] == 'request.counts["b c"]: expected Int, got string'
    )


def test_a_verb_may_take_and_answer_nothing_or_a_plain_value(child: Child) -> None:
    assert child.call("tick") == {}
    assert child.refusal("tick", b"null")[1] == "request: expected Unit, which is {}, got null"
    assert child.refusal("tick", {"a": 1})[1] == 'request: unknown field "a"; Unit has none'
    assert child.call("count", [{"name": "a"}, {"name": "b"}]) == 2
    assert child.refusal("count", [{}])[1] == "request[0].name: the field is missing"


@pytest.mark.parametrize(
    ("module", "verb", "code", "problem"),
    [
        ("sample", "fial", StatusCode.NOT_FOUND, 'module sample has no verb "fial"; did you mean "fail"?'),
        ("simple", "fail", StatusCode.NOT_FOUND, 'no module "simple" here: this is sample'),
        ("sample", "", StatusCode.INVALID_ARGUMENT, "verb.name is missing"),
        ("", "fail", StatusCode.INVALID_ARGUMENT, "verb.module is missing"),
        ("sample", "x" * 100000, StatusCode.NOT_FOUND, 'module sample has no verb "xxx'),
    ],
)
def test_a_verb_that_is_not_there(child: Child, module: str, verb: str, code: StatusCode, problem: str) -> None:
    got, details = child.refusal(verb, module=module)
    assert got is code
    assert details.startswith(problem)


def test_a_verb_that_fails_says_how_and_is_logged(child: Child) -> None:
    assert child.failure("fail", {"text": "this"}) == "KeyError: 'this'"
    out, _ = child.stop()
    assert "Traceback" in out
    assert "in fail" in out
    assert "_serve.py" not in out
    assert "_verbs.py" not in out


def test_a_request_checks_itself(child: Child) -> None:
    assert child.refusal("check", {"value": -1}) == (StatusCode.INVALID_ARGUMENT, "request: the value is negative")
    assert child.failure("check", {"value": 0}) == "ZeroDivisionError: division by zero"


def test_a_verb_cannot_end_the_module(child: Child) -> None:
    assert child.failure("leave") == "SystemExit: 3"
    child.ping()


def test_a_response_of_the_wrong_type_is_the_verbs_failure(child: Child) -> None:
    problem = "the verb returned what is not its response: response.text: expected String, got int"
    assert child.failure("wrong") == problem


def test_a_message_may_be_large_to_a_limit_that_is_named(child: Child) -> None:
    assert child.call("count", [{"name": "x" * (16 << 20)}]) == 1
    code, details = child.refusal("count", b" " * (64 << 20), timeout=30)
    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert str(64 << 20) in details


def test_a_busy_module_still_answers_ping(child: Child) -> None:
    calls = [child.begin("wait", timeout=None) for _ in range(40)]
    assert child.process.stdout is not None
    for _ in range(32):
        assert '"waiting"' in child.process.stdout.readline()
    child.ping(timeout=60)
    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()


PATIENT = """
import ftl, time
@ftl.verb
def wait() -> None:
    while not ftl.current().cancelled:
        time.sleep(0.01)
@ftl.verb
def one(number: int) -> int:
    return number
ftl.main(threads={})
"""


def test_a_thousand_calls_at_once_wait_for_their_turn(start: Callable[..., Child]) -> None:
    child = start(PATIENT.format(4))
    calls = [child.begin("one", number, timeout=120) for number in range(1000)]
    assert [int(call.result().body) for call in calls] == list(range(1000))


def test_calls_past_the_waiting_ones_are_refused(start: Callable[..., Child]) -> None:
    child = start(PATIENT.format(1))
    other = child.another_connection()
    # One runs and 1000 wait.
    calls = [each.begin("wait", timeout=None) for each in (child, other) for _ in range(600)]
    over = len(calls) - 1001
    done: SimpleQueue[Any] = SimpleQueue()
    for call in calls:
        call.add_done_callback(done.put)
    refused = [done.get(timeout=60) for _ in range(over)]
    assert {call.code() for call in refused} == {StatusCode.RESOURCE_EXHAUSTED}
    assert refused[0].details() == "sample runs 1 calls, and 1000 more wait: try again later"
    child.ping()
    for call in calls:
        call.cancel()
    # Those that waited were not begun, and there is room again.
    until(lambda: child.begin("one", 5, timeout=60).code() is StatusCode.OK)
    other.channel.close()


def test_a_call_whose_deadline_passes_learns_it(child: Child) -> None:
    assert child.refusal("wait", timeout=0.3)[0] is StatusCode.DEADLINE_EXCEEDED
    assert '"given up"' in child.stop()[0]


def asked_to_end(child: Child, file: Path) -> Any:
    """A call that goes on until `file` is there, of a program that has had its SIGTERM."""
    call = child.begin("hold", {"text": str(file)}, timeout=None)
    assert child.process.stdout is not None
    assert '"holding"' in child.process.stdout.readline()
    child.process.send_signal(signal.SIGTERM)
    until(lambda: child.begin("speak", {"text": ""}, timeout=60).code() is StatusCode.UNAVAILABLE)
    return call


def until(happens: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_sigterm_lets_calls_finish_and_takes_no_new_ones(child: Child, tmp_path: Path) -> None:
    call = asked_to_end(child, tmp_path / "enough")
    (tmp_path / "enough").touch()
    assert call.result().body == b'{"text":"held"}'
    child.ended()
    assert child.process.returncode == 0


def test_a_second_sigterm_ends_it_at_once(child: Child, tmp_path: Path) -> None:
    _kept = asked_to_end(child, tmp_path / "enough")  # to drop it cancels it
    child.stop()
    assert child.process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("bind", "problem"),
    [
        (None, "ftl: FTL_BIND is not set: "),
        ("127.0.0.1:1", 'ftl: FTL_BIND is "127.0.0.1:1": it has the form '),
        ("unix:/no/such/folder/socket", "ftl: cannot serve on unix:/no/such/folder/socket"),
    ],
)
def test_a_program_that_cannot_serve_says_why(bind: str | None, problem: str) -> None:
    environment = {**os.environ, "FTL_BIND": bind} if bind else os.environ
    run = subprocess.run(START, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1
    assert problem in run.stderr
    assert "Traceback" not in run.stderr


def test_a_port_in_use_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {**os.environ, "FTL_BIND": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        run = subprocess.run(START, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 1
    assert "it may be in use" in run.stderr


FORGETS = """
import ftl
@ftl.verb
def greet(name: str) -> str:
    return name
{end}
"""


@pytest.mark.parametrize(
    ("end", "bind", "code", "said"),
    [
        ("", "http://127.0.0.1:1", 0, "ftl: forgets.py has ended without ftl.main(), which serves its verbs. "),
        ("", None, 0, ""),  # by hand
        ("1 / 0", "http://127.0.0.1:1", 1, "Traceback "),
        ("raise SystemExit(5)", "http://127.0.0.1:1", 5, "ftl: forgets.py has ended without ftl.main()"),
    ],
)
def test_a_program_without_main_says_what_is_missing(
    tmp_path: Path, end: str, bind: str | None, code: int, said: str
) -> None:
    program = tmp_path / "forgets.py"
    program.write_text(FORGETS.format(end=end))
    environment = {**os.environ, **({"FTL_BIND": bind} if bind else {})}
    command = [sys.executable, str(program)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == code
    assert run.stderr.startswith(said)
    assert ("ftl.main()" in run.stderr) == said.startswith("ftl:")


def test_a_schema_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "forgets.py"
    program.write_text(FORGETS.format(end=""))
    for closed, problem in (
        ("", ""),
        (">/dev/full", "the schema could not be written: "),
        (">&-", "standard output is closed"),
    ):
        shell = f'exec "$0" -m ftl schema "$1" {closed}'
        command = ["sh", "-c", shell, sys.executable, str(program)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert (run.returncode != 0) == bool(problem), run.stderr
        assert problem in run.stderr
        assert "Traceback" not in run.stderr
