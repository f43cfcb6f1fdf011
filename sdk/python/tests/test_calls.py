# SPDX-License-Identifier: Apache-2.0
"""Calls out: what they carry on, and how they end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import grpc
import pytest
from conftest import free_port
from peers import Backplane, Child, Incoming, answer_of, failure_of
from xyz.block.ftl.v1 import ftl_pb2

CHAIN = [("ftl-verb", "front.page"), ("ftl-verb", "sample.call_out")]
TRACE = [("ftl-request-id", "r1"), ("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"), ("tracestate", "a=b")]


def patient(call: Incoming, context: grpc.ServicerContext) -> ftl_pb2.CallResponse:
    """Never answers by itself."""
    call.ended.wait(10)
    return answer_of({})


def test_the_callee_gets_the_request_and_its_answer_comes_back(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"text": call.body["name"], "added_later": 1})
    assert child.call("call_out", {"verb": "echo.echo", "body": {"name": "Bob"}}) == {"text": "Bob"}


def test_the_chain_and_the_trace_are_carried_on_in_order(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"text": ""})
    child.call("call_out", {"verb": "echo.echo"}, metadata=[*CHAIN, *TRACE, ("x-other", "stays")])
    headers = backplane.calls[0].headers
    assert [header for header in headers if header[0] == "ftl-verb"] == CHAIN
    assert set(TRACE) <= set(headers)
    assert "x-other" not in dict(headers)


def test_the_deadline_shrinks_along_the_chain(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"text": ""})
    child.call("call_out", {"verb": "echo.echo"}, timeout=30)
    assert 25 < backplane.calls[0].remaining < 30.1
    child.call("call_out", {"verb": "echo.echo", "timeout": 5}, timeout=30)
    assert 4 < backplane.calls[1].remaining < 5.1
    child.call("call_out", {"verb": "echo.echo"}, timeout=None)
    assert backplane.calls[2].remaining > 1e6


def test_a_cancelled_call_cancels_its_call_out(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = patient
    call = child.begin("call_out", {"verb": "echo.echo"})
    assert backplane.arrived.acquire(timeout=5)
    assert not backplane.calls[0].ended.is_set()
    call.cancel()
    assert backplane.calls[0].ended.wait(2)


def test_a_passed_deadline_ends_the_call_out(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = patient
    assert child.refusal("call_out", {"verb": "echo.echo"}, timeout=0.5)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert backplane.calls[0].ended.wait(1)


def test_a_callee_that_fails(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: failure_of("no such user")
    assert child.failure("call_out", {"verb": "echo.echo"}) == "no such user"
    assert child.call("code_of", {"verb": "echo.echo"}) == {"text": "echo.echo failed: no such user"}


def test_a_callee_that_does_not_answer(child: Child, backplane: Backplane) -> None:
    def refuse(call: Incoming, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.NOT_FOUND, "no module echo")

    backplane.answers["echo.echo"] = refuse
    assert child.call("code_of", {"verb": "echo.echo"}) == {"text": "not_found: no module echo"}
    assert child.failure("call_out", {"verb": "echo.echo"}) == "StatusError: echo.echo: not_found: no module echo"


def test_a_backplane_that_is_gone(child: Child, backplane: Backplane) -> None:
    backplane.stop()
    before = time.monotonic()
    assert child.call("code_of", {"verb": "echo.echo"})["text"].startswith("unavailable: ")
    assert time.monotonic() - before < 15  # gRPC by itself waits longer


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"text": 5}, "StatusError: echo.echo: internal: response.text: expected String, got number"),
        ({}, "StatusError: echo.echo: internal: response.text: the field is missing"),
    ],
)
def test_an_answer_that_does_not_fit(child: Child, backplane: Backplane, answer: object, problem: str) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of(answer)
    assert child.failure("call_out", {"verb": "echo.echo"}) == problem


def test_a_verb_without_a_module_is_no_name(child: Child) -> None:
    assert child.failure("call_out", {"verb": "echo"}) == 'ValueError: call of "echo": a verb is named "module.verb"'


def test_async_verbs_run_beside_each_other(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"text": " and ".join(call.body["names"])})
    calls = [child.begin("meet", {"text": name}, metadata=TRACE, timeout=60) for name in "abc"]
    assert [call.result().body for call in calls] == [b'{"text":"a and b and c"}'] * 3
    # They know which call they answer, and those that they call learn it.
    assert set(TRACE) <= set(backplane.calls[0].headers)
    assert '"met", "logger": "sample", "verb": "sample.meet", "request_id": "r1"' in child.stop()[0]


def test_an_async_verb_is_cancelled(child: Child) -> None:
    call = child.begin("doze")
    assert child.process.stdout is not None
    assert '"dozing"' in child.process.stdout.readline()
    call.cancel()
    assert '"woken"' in child.process.stdout.readline()
    assert "Traceback" not in child.stop()[0]


def test_an_async_verb_must_not_block_the_others(child: Child) -> None:
    assert "echo.echo: it waits, and would hold up all async verbs: await" in child.failure("block")


@pytest.fixture
def greeter(backplane: Backplane) -> Iterator[Child]:
    program = Path(__file__).parents[3] / "examples" / "greeter" / "greeter.py"
    child = Child(program, f"http://127.0.0.1:{free_port()}", backplane.endpoint, "greeter")
    yield child
    child.kill()


def test_the_example_greets_by_way_of_echo(greeter: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"message": f"Hello, {call.body['name']}!"})
    assert greeter.call("greet", {"name": "Bob"}) == {"message": "Hello, Bob!"}
