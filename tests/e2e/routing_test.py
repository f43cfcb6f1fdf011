# SPDX-License-Identifier: Apache-2.0
"""The result of a call in each case, and the headers that are passed on along a chain of calls."""

import re
import threading
import time

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import LONG, Refused, module, wait_for


@pytest.fixture
def host(backplane, make_runner):
    """Deploys a module with these verbs on a Runner of its own, for a language of its own."""

    def host(name, replicas=1, **verbs):
        runners = [make_runner(language=name, verbs=verbs).register() for _ in range(replicas)]
        key = backplane.deploy(module(name, verbs=list(verbs), language=name), replicas=replicas)
        backplane.wait_live(key)
        for runner in runners:
            runner.deployment = key
        return runners[0] if replicas == 1 else runners

    return host


def passed_on(context):
    """The metadata that an SDK copies from the call that it answers to the calls that it makes."""
    names = ("ftl-verb", "ftl-request-id", "traceparent")
    return [(key, value) for key, value in context.invocation_metadata() if key in names]


def calls_on(backplane, name):
    """A verb that calls another verb, with the metadata that an SDK copies, and answers with its answer."""

    def verb(request, context):
        left = context.time_remaining()
        future = backplane.call_future(name, request.body, left, passed_on(context))
        context.add_callback(future.cancel)
        try:
            return future.result()
        except grpc.RpcError as error:
            raise Refused(error.code(), error.details()) from None
        except grpc.FutureCancelledError:
            raise Refused(grpc.StatusCode.CANCELLED, "given up") from None

    return verb


def hang(started, ended):
    def verb(request, context):
        context.add_callback(ended.set)
        started.set()
        ended.wait(LONG)
        return b"{}"

    return verb


def call_raw(backplane, request, **settings):
    return backplane.verbs.Call(request, timeout=LONG, **settings)


# --- the result of a call ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_, word",
    [
        (ftl.CallRequest(), "verb"),
        (ftl.CallRequest(body=b"{}"), "verb"),
        (ftl.CallRequest(verb=schema.VerbRef(), body=b"{}"), "verb.module"),
        (ftl.CallRequest(verb=schema.VerbRef(name="echo")), "verb.module"),
        (ftl.CallRequest(verb=schema.VerbRef(module="echo")), "verb.name"),
        (ftl.CallRequest(verb=schema.VerbRef(module="e" * 256, name="echo")), "verb.module"),
        (ftl.CallRequest(verb=schema.VerbRef(module="echo", name="e" * 5000)), "4096"),
    ],
)
def test_a_missing_field_of_the_request_is_named(backplane, refused, request_, word):
    with refused("INVALID_ARGUMENT", word):
        call_raw(backplane, request_)


def test_an_unknown_module_is_not_found(backplane, host, refused):
    with refused("NOT_FOUND", "there is no module echo"):
        backplane.call("echo.echo")
    host("echo", echo=lambda *_: b"{}")
    with refused("NOT_FOUND", "there is no module ecko", "did you mean echo?"):
        backplane.call("ecko.echo")
    with refused("NOT_FOUND", "there is no module zzzzzzzz"):
        backplane.call("zzzzzzzz.echo")


def test_an_unknown_verb_is_not_found(backplane, host, refused):
    runner = host("echo", echo=lambda *_: b"{}", shout=lambda *_: b"{}")
    with refused("NOT_FOUND", "the module echo has no verb ecko", "did you mean echo.echo?"):
        backplane.call("echo.ecko")
    assert runner.calls.empty()


def test_a_module_without_runners_says_why(backplane, make_runner, refused):
    runner = make_runner().register()
    runner.brings_up = False
    key = backplane.deploy(module())
    with refused("UNAVAILABLE", "echo", key, "starting"):
        backplane.call("echo.echo")
    runner.deploys.get(timeout=LONG)
    runner.report(key, error="its configuration is missing")
    failed = ftl.DEPLOYMENT_STATE_FAILED
    wait_for(lambda: [one.state for one in backplane.status().deployments] == [failed], "the failure")
    with refused("UNAVAILABLE", "its configuration is missing"):
        backplane.call("echo.echo")


def test_a_verb_that_fails_answers_its_error(backplane, host):
    host("echo", echo=lambda *_: ftl.CallResponse(error=ftl.CallResponse.Error(message="no such name")))
    answer = backplane.call("echo.echo")
    assert answer.WhichOneof("response") == "error"
    assert answer.error.message == "no such name"


def test_a_status_of_the_deployment_reaches_the_caller(backplane, host, refused):
    def verb(request, context):
        raise Refused(grpc.StatusCode.PERMISSION_DENIED, "not you; é, %41 and 100%")

    host("echo", echo=verb)
    with refused("PERMISSION_DENIED", "not you; é, %41 and 100%"):
        backplane.call("echo.echo")


def test_a_runner_that_dies_during_the_call(backplane, host, refused):
    started, ended = threading.Event(), threading.Event()
    runner = host("echo", echo=hang(started, ended))
    call = backplane.call_future("echo.echo")
    assert started.wait(LONG)
    threading.Thread(target=runner.die).start()
    # grpcio may answer Unavailable itself before the connection breaks; system_test kills a process without warning.
    with refused("UNAVAILABLE"):
        call.result()
    ended.set()


def test_a_call_that_did_not_begin_is_sent_to_another_replica(backplane, host):
    runners = host("echo", replicas=2, echo=lambda *_: b"{}")
    runners[0].die()
    for _ in range(40):
        assert backplane.call("echo.echo").body == b"{}"


def test_no_call_is_lost_or_doubled_by_a_replacement(backplane, host, make_runner):
    host("echo", echo=lambda request, _: request.body)
    done, failed = [], []
    stop = threading.Event()

    def caller(number):
        count = 0
        while not stop.is_set():
            body = b'"%d-%d"' % (number, count)
            try:
                answer = backplane.call("echo.echo", body).body
                (done if answer == body else failed).append(answer)
            except grpc.RpcError as error:
                failed.append((body, error.code(), error.details()))
            count += 1

    callers = [threading.Thread(target=caller, args=[number]) for number in range(4)]
    for thread in callers:
        thread.start()
    received = []
    for version in range(3):
        new = make_runner(language="echo").register()
        received.append(new)
        changed = module(language="echo", comments=[str(version)])
        backplane.wait_live(backplane.deploy(changed))
        before = len(done)
        wait_for(lambda: len(done) > before + 20, "calls")
    stop.set()
    for thread in callers:
        thread.join(LONG)
    assert failed == []
    bodies = [body for runner in received for body in map(lambda one: one[0].body, list(runner.calls.queue))]
    assert bodies and len(bodies) == len(set(bodies))


def test_the_deadline_is_passed_on(backplane, host, refused):
    started, ended = threading.Event(), threading.Event()
    runner = host("echo", echo=hang(started, ended))
    begin = time.monotonic()
    with refused("DEADLINE_EXCEEDED"):
        backplane.call("echo.echo", timeout=0.5)
    assert time.monotonic() - begin < LONG / 2
    # grpcio rounds the remaining time up a little.
    assert 0 < runner.calls.get()[2] < 0.6
    assert ended.wait(2), "the deployment was not told"


def test_a_client_that_leaves_cancels_its_call(backplane, host):
    started, ended = threading.Event(), threading.Event()
    host("echo", echo=hang(started, ended))
    call = backplane.call_future("echo.echo")
    assert started.wait(LONG)
    call.cancel()
    assert ended.wait(2), "the deployment was not told"


def test_a_message_over_the_limit(make_backplane, make_runner, refused):
    backplane = make_backplane("--warm", "0", "--max-message", "1MiB").start()
    make_runner(backplane=backplane, verbs={"large": lambda *_: b"x" * (1 << 20)}).register()
    backplane.wait_live(backplane.deploy(module(verbs=["echo", "large"])))
    with refused("RESOURCE_EXHAUSTED", "max-message", "1048576"):
        backplane.call("echo.echo", b"x" * (1 << 20))
    with refused("RESOURCE_EXHAUSTED", "max-message", "1048576"):
        backplane.call("echo.large")
    body = b"x" * ((1 << 20) - 100)
    assert backplane.call("echo.echo", body).body == body


@pytest.mark.parametrize("size", [0, 1, 16_000, 300_000, 5_000_000, 60_000_000])
def test_bodies_of_all_sizes(backplane, host, size):
    host("echo", echo=lambda request, _: request.body)
    body = b"s" * size
    assert backplane.call("echo.echo", body).body == body


# --- chains of calls -----------------------------------------------------------------------------------------


def header(metadata, name):
    return [value for key, value in metadata if key == name]


def test_a_chain_of_calls(backplane, host):
    last = host("last", echo=lambda request, _: request.body)
    middle = host("middle", echo=calls_on(backplane, "last.echo"))
    first = host("first", echo=calls_on(backplane, "middle.echo"))
    answer, call = backplane.verbs.Call.with_call(
        ftl.CallRequest(verb=schema.VerbRef(module="first", name="echo"), body=b'{"text":"x"}'), timeout=10
    )
    assert answer.body == b'{"text":"x"}'
    seen = [runner.calls.get(timeout=LONG) for runner in (first, middle, last)]
    chain = ["first.echo", "middle.echo", "last.echo"]
    for depth, (_, metadata, _) in enumerate(seen):
        assert header(metadata, "ftl-verb") == chain[: depth + 1]
    ids = {tuple(header(metadata, "ftl-request-id")) for _, metadata, _ in seen}
    assert ids == {tuple(header(call.initial_metadata(), "ftl-request-id"))}
    assert_request_id(*ids.pop())
    traces = {tuple(header(metadata, "traceparent")) for _, metadata, _ in seen}
    assert len(traces) == 1 and re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", *traces.pop())
    left = [remaining for _, _, remaining in seen]
    # grpcio rounds the remaining time up a little.
    assert all(0 < one < 10.5 for one in left)
    deployments = [header(metadata, "ftl-deployment") for _, metadata, _ in seen]
    assert deployments == [[one.deployment] for one in (first, middle, last)]


def assert_request_id(text):
    """What the Go SDK of 2023 (v0.43) checks before it takes a call, and what its successors do: three parts."""
    origin, key, hashed = text.split("-")
    assert origin == "ingress"
    assert re.fullmatch("[0-9a-f]{6}", key)
    assert re.fullmatch("[0-9a-f]{10}", hashed)


def test_each_call_from_outside_has_a_request_id_of_its_own(backplane, host):
    host("echo", echo=lambda request, _: request.body)
    ids = set()
    for _ in range(50):
        request_ = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b"{}")
        _, call = backplane.verbs.Call.with_call(request_, timeout=LONG)
        ids.update(header(call.initial_metadata(), "ftl-request-id"))
    assert len(ids) == 50
    for one in ids:
        assert_request_id(one)
    for part in (1, 2):  # both carry randomness
        assert len({one.split("-")[part] for one in ids}) > 40


def test_the_metadata_of_the_client_reaches_the_runner(backplane, host):
    runner = host("echo", echo=lambda request, _: request.body)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    metadata = [("ftl-request-id", "req-mine"), ("traceparent", trace), ("x-mine", "1"), ("x-mine-bin", b"\0\xff")]
    backplane.call("echo.echo", metadata=[*metadata, ("ftl-deployment", "dpl-forged")])
    received = runner.calls.get()[1]
    for pair in metadata:
        assert pair in received
    assert header(received, "ftl-deployment") == [runner.deployment]


def test_metadata_of_the_answer_comes_back(backplane, host):
    def verb(request, context):
        context.send_initial_metadata([("x-first", "1")])
        context.set_trailing_metadata([("x-last", "2"), ("x-last-bin", b"\0\1")])
        return b"{}"

    host("echo", echo=verb)
    call = backplane.call_future("echo.echo")
    call.result()
    assert ("x-first", "1") in [tuple(pair) for pair in call.initial_metadata()]
    assert {("x-last", "2"), ("x-last-bin", b"\0\1")} <= {tuple(pair) for pair in call.trailing_metadata()}


def test_a_loop_of_calls_prints_the_chain(backplane, host, refused):
    host("b", echo=calls_on(backplane, "a.echo"))
    host("a", echo=calls_on(backplane, "b.echo"))
    with refused("FAILED_PRECONDITION", "a.echo → b.echo → a.echo"):
        backplane.call("a.echo")


def test_a_verb_that_calls_itself_is_a_loop(backplane, host, refused):
    host("a", echo=calls_on(backplane, "a.echo"))
    with refused("FAILED_PRECONDITION", "a.echo → a.echo"):
        backplane.call("a.echo")


def test_a_chain_that_is_too_deep(backplane, host, refused):
    host("a", echo=lambda *_: b"{}")
    chain = [("ftl-verb", f"m{number}.verb") for number in range(63)]
    backplane.call("a.echo", metadata=chain)
    with refused("FAILED_PRECONDITION", "max-call-depth is 64"):
        backplane.call("a.echo", metadata=[*chain, ("ftl-verb", "m63.verb")])


@pytest.mark.parametrize("cause", ["deadline", "cancellation"])
def test_the_end_of_a_call_ends_the_chain_behind_it(backplane, host, cause, refused):
    started, ended = threading.Event(), threading.Event()
    host("last", echo=hang(started, ended))
    host("middle", echo=calls_on(backplane, "last.echo"))
    host("first", echo=calls_on(backplane, "middle.echo"))
    call = backplane.call_future("first.echo", timeout=1 if cause == "deadline" else LONG)
    assert started.wait(LONG)
    if cause == "deadline":
        with refused("DEADLINE_EXCEEDED"):
            call.result()
    else:
        call.cancel()
    assert ended.wait(2), "the last of the chain was not told"


def test_the_error_of_the_last_call_passes_through_the_chain(backplane, host, refused):
    host("first", echo=calls_on(backplane, "nobody.echo"))
    with refused("NOT_FOUND", "there is no module nobody"):
        backplane.call("first.echo")


# --- many calls -------------------------------------------------------------------------------------------------------


def test_many_calls_at_once(backplane, host):
    host("echo", replicas=2, echo=lambda request, _: request.body)
    futures = [(b'{"text":"%d"}' % number, None) for number in range(400)]
    futures = [(body, backplane.call_future("echo.echo", body)) for body, _ in futures]
    for body, future in futures:
        assert future.result().body == body


def test_list_names_all_verbs(backplane, host):
    host("one", echo=lambda *_: b"{}", other=lambda *_: b"{}")
    host("two", echo=lambda *_: b"{}")
    verbs = backplane.verbs.List(ftl.ListRequest(), timeout=LONG).verbs
    assert sorted(f"{one.module}.{one.name}" for one in verbs) == ["one.echo", "one.other", "two.echo"]


def test_pings(backplane):
    assert backplane.verbs.Ping(ftl.PingRequest(), timeout=LONG).not_ready == ""
    assert backplane.rpc.Ping(ftl.PingRequest(), timeout=LONG).not_ready == ""
