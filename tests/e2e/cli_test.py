# SPDX-License-Identifier: Apache-2.0
"""The command line, as a user meets it: what it prints, where, and the code it exits with."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from fake_backplane import FakeBackplane, ftl

FTL = os.environ.get("FTL", str(Path(__file__).resolve().parents[2] / "build" / "ftl"))


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def fake():
    fake = FakeBackplane()
    yield fake
    fake.stop()


@pytest.fixture
def environment(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTL", "XDG"))}
    return {**kept, "HOME": str(tmp_path / "home")}


@pytest.fixture
def start(fake, environment, tmp_path):
    """Starts ftl against the fake Backplane."""
    started = []

    def start(*arguments, **options):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        given = {"cwd": tmp_path, "env": {**environment, "FTL_ENDPOINT": fake.endpoint}}
        started.append(subprocess.Popen([FTL, *arguments], **{**pipes, **given, **options}))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def run(start):
    def run(*arguments, stdin="", timeout=20, **options):
        process = start(*arguments, **options)
        out, err = process.communicate(stdin, timeout=timeout)
        return Result(process.returncode, out, err)

    return run


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# --- ftl call ---------------------------------------------------------------------------------------------------


def test_call_prints_the_answer(run, fake):
    result = run("call", "echo.echo", '{"name":"Bob"}')
    assert result == Result(0, '{"name":"Bob"}\n', "")
    (request,) = fake.requested("Call")
    assert (request.verb.module, request.verb.name) == ("echo", "echo")


def test_call_sends_an_empty_object_by_default(run):
    assert run("call", "time.time").out == "{}\n"


def test_call_reads_standard_input_and_files(run, tmp_path):
    (tmp_path / "request.json").write_text("[1]")
    assert run("call", "echo.echo", "-", stdin="[2]").out == "[2]\n"
    assert run("call", "echo.echo", "@request.json").out == "[1]\n"
    missing = run("call", "echo.echo", "@missing.json")
    assert missing == Result(1, "", "error: could not open missing.json: No such file or directory\n")


def test_call_passes_large_bodies(run):
    body = json.dumps("x" * 3_000_000)
    assert run("call", "echo.echo", "-", stdin=body).out == body + "\n"


def test_call_says_where_the_json_is_wrong(run, fake):
    result = run("call", "echo.echo", '{"name":}')
    assert result.code == 2
    assert result.err.startswith("error: the request is no JSON: line 1, column 9: ")
    assert fake.requests == []


def test_call_says_that_the_verb_failed(run, fake):
    fake.call = lambda request: ftl.CallResponse(error=ftl.CallResponse.Error(message="no such\x1b[31m name"))
    assert run("call", "echo.echo") == Result(1, "", "error: no such?[31m name\n")


def test_call_says_that_the_verb_could_not_be_reached(run, fake):
    fake.fail["Call"] = (grpc.StatusCode.UNAVAILABLE, "echo is starting")
    assert run("call", "echo.echo") == Result(1, "", "error: echo is starting\n")


def test_call_says_that_the_answer_is_empty(run, fake):
    fake.call = lambda request: ftl.CallResponse()
    assert run("call", "echo.echo") == Result(1, "", "error: the answer holds neither a body nor an error\n")


def test_call_offers_the_nearest_verb(run, fake):
    fake.fail["Call"] = (grpc.StatusCode.NOT_FOUND, "the module echo has no verb ecko")
    result = run("call", "echo.ecko")
    assert result == Result(1, "", 'error: the module echo has no verb ecko; did you mean "echo.echo"?\n')
    fake.fail["Call"] = (grpc.StatusCode.NOT_FOUND, "no ecko; there is echo.echo")
    assert run("call", "echo.ecko").err == "error: no ecko; there is echo.echo\n"


def test_call_gives_up_after_its_timeout(run, fake):
    fake.call = fake.hang
    assert run("call", "echo.echo", "--timeout", "200ms") == Result(1, "", "error: the deadline of the call passed\n")


def test_call_carries_its_deadline(run, fake):
    run("call", "echo.echo", "--timeout", "2s")
    assert 0 < fake.time_remaining["Call"] <= 2
    run("call", "echo.echo", "--timeout", "0")
    assert fake.time_remaining["Call"] is None or fake.time_remaining["Call"] > 1e6


def test_call_shows_headers(run):
    assert run("call", "-v", "echo.echo") == Result(0, "{}\n", "ftl-request-id: req-1\n")


def test_call_is_cancelled_by_sigint(start, fake):
    fake.call = fake.hang
    process = start("call", "echo.echo")
    wait_for(lambda: fake.requested("Call"))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("name", ["echo", "echo.", ".echo", "", "a" * 200 + ".b"])
def test_call_wants_a_verb(run, name):
    result = run("call", name)
    assert result.code == 2
    assert "names no verb; write MODULE.VERB, such as echo.echo\nsee: ftl help call\n" in result.err


def test_call_says_that_nobody_is_there(run):
    result = run("call", "echo.echo", "--endpoint", "http://127.0.0.1:1")
    assert result.code == 1
    assert result.err == (
        "error: could not connect to http://127.0.0.1:1: connection refused; is \"ftl serve\" running there?\n"
    )


def test_call_says_what_an_endpoint_is(run):
    result = run("call", "echo.echo", "--endpoint", "localhost")
    assert result.code == 1
    assert 'error: "localhost" is not an endpoint:' in result.err


# --- ftl ping ---------------------------------------------------------------------------------------------------


def test_ping_is_ready(run, fake):
    result = run("ping")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"{fake.endpoint} is ready (")
    answer = json.loads(run("ping", "-o", "json").out)
    assert answer["endpoint"] == fake.endpoint
    assert answer["took_ms"] > 0


def test_ping_says_why_it_is_not_ready(run, fake):
    fake.not_ready = "it reads its deployments"
    assert run("ping") == Result(1, "", f"error: {fake.endpoint} is not ready: it reads its deployments\n")


def test_ping_waits_until_it_is_ready(start, fake):
    fake.not_ready = "it starts"
    process = start("ping", "--wait", "20s")
    wait_for(lambda: len(fake.requested("Ping")) >= 2)
    fake.not_ready = ""
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert out.startswith(f"{fake.endpoint} is ready (")


def test_ping_waits_for_a_listener(start, tmp_path):
    socket = f"unix:{tmp_path}/late"
    process = start("ping", "--wait", "20s", "--endpoint", socket)
    time.sleep(0.2)
    late = FakeBackplane(socket)
    out, err = process.communicate(timeout=10)
    late.stop()
    assert (process.returncode, err) == (0, "")


def test_ping_gives_up(run, fake):
    fake.not_ready = "it starts"
    result = run("ping", "--wait", "100ms")
    assert result == Result(1, "", f"error: gave up after 100 ms: {fake.endpoint} is not ready: it starts\n")


def test_ping_waits_in_vain_until_sigint(start):
    process = start("ping", "--wait", "20s", "--endpoint", "http://127.0.0.1:1")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (130, "", "")
