# SPDX-License-Identifier: Apache-2.0
"""POST /call/MODULE.VERB: the body is the request, and the answer's body the response."""

import gzip
import http.client
import json
import subprocess
import time

import pytest
from harness import LONG, FakeRunner, module, wait_for
from xyz.block.ftl.v1 import ftl_pb2 as ftl


@pytest.fixture
def echo(backplane, make_runner):
    def fail(request, context):
        return ftl.CallResponse(error=ftl.CallResponse.Error(message="no product 7"))

    def slow(request, context):
        time.sleep(0.5)
        return b"{}"

    runner = make_runner(verbs={"fail": fail, "slow": slow, "big": lambda request, context: b'"' + b"x" * 100000 + b'"'})
    runner.register()
    schema = module(verbs=["echo", "fail", "slow", "big", "hidden"])
    for decl in schema.decls[1:-1]:
        decl.verb.export = True
    backplane.wait_live(backplane.deploy(schema))
    backplane.host = runner
    return backplane


def ask(backplane, path, body=b"", method="POST", **headers):
    """Returns (status, headers, body)."""
    connection = http.client.HTTPConnection(backplane.target, timeout=LONG)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def refused(backplane, *arguments, **headers):
    """Returns (status, code, reason, message) of an answer in JSON."""
    status, got, body = ask(backplane, *arguments, **headers)
    assert got["content-type"] == "application/json"
    error = json.loads(body)
    assert set(error) <= {"code", "message", "reason"}
    return status, error["code"], error.get("reason"), error["message"]


TEXT = b'{ "text": "B\xc3\xb6b" }'


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
def test_the_body_is_the_request_and_the_answer_the_response(echo, kind):
    status, headers, body = ask(echo, "/call/echo.echo", TEXT, **({"content_type": kind} if kind else {}))
    assert (status, headers["content-type"], body) == (200, "application/json", TEXT)
    assert headers["content-length"] == str(len(TEXT))


def test_it_is_what_curl_sends_by_default(echo):
    for version in ("--http1.1", "--http2-prior-knowledge"):
        command = ["curl", "-sS", version, f"{echo.endpoint}/call/echo.echo", "-d", '{"text":"Bob"}']
        done = subprocess.run(command, capture_output=True, timeout=LONG, check=True)
        assert done.stdout == b'{"text":"Bob"}'


def test_many_calls_go_over_one_connection(echo):
    connection = http.client.HTTPConnection(echo.target, timeout=LONG)
    for number in range(200):
        body = json.dumps({"text": str(number)}).encode()
        connection.request("POST", "/call/echo.echo", body)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, body)


def test_what_is_not_there_is_told_with_what_is_near(echo):
    assert refused(echo, "/call/echo.ecko", TEXT)[:3] == (404, "not_found", "NO_SUCH_VERB")
    assert "did you mean echo.echo?" in refused(echo, "/call/echo.ecko", TEXT)[3]
    assert refused(echo, "/call/ecko.echo", TEXT)[:3] == (404, "not_found", "NO_SUCH_MODULE")
    for path in ("/call", "/call/", "/call/echo", "/call/echo.", "/call/.echo", "/call/echo.echo/", "/call/a/echo.echo"):
        status, code, _, message = refused(echo, path, TEXT)
        assert (status, code) == (404, "not_found") and "/call/MODULE.VERB" in message
    assert ask(echo, "/caller/echo.echo", TEXT)[0] != 200


def test_odd_names_are_no_calls(echo):
    assert refused(echo, "/call?echo.echo", TEXT)[:2] == (404, "not_found")
    assert refused(echo, f"/call/echo.{'x' * 2000}", TEXT)[:2] == (400, "invalid_argument")


def test_binary_headers_of_many_values_are_refused(echo):
    status, code, _, message = refused(echo, "/call/echo.echo", TEXT, x_bin="," * 4000)
    assert (status, code) == (429, "resource_exhausted") and "x-bin" in message
    assert ask(echo, "/call/echo.echo", TEXT)[0] == 200


def test_an_answer_that_is_none_is_an_error(echo):
    echo.host.verbs["echo"] = lambda request, context: ftl.CallResponse()
    assert refused(echo, "/call/echo.echo", TEXT)[:2] == (500, "internal")


def test_a_verb_that_is_not_exported_cannot_be_called(echo):
    status, code, reason, message = refused(echo, "/call/echo.hidden", TEXT)
    assert (status, code, reason) == (404, "not_found", "NOT_EXPORTED")
    assert 'write "export verb hidden"' in message


def test_a_request_that_the_schema_refuses(echo):
    assert refused(echo, "/call/echo.echo", b'{"text":1}')[:3] == (400, "invalid_argument", "WRONG_TYPE")
    assert refused(echo, "/call/echo.echo", b'{"text":')[:3] == (400, "invalid_argument", "NOT_JSON")
    assert refused(echo, "/call/echo.echo", b"")[:3] == (400, "invalid_argument", "NOT_JSON")
    assert refused(echo, "/call/echo.echo", b"{}")[3].startswith("request.text")


def test_a_verb_that_failed(echo):
    assert refused(echo, "/call/echo.fail", TEXT) == (500, "unknown", None, "no product 7")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_with_the_right_one(echo, method):
    status, headers, body = ask(echo, "/call/echo.echo", TEXT, method)
    assert status == 405 and headers["allow"] == "POST"
    assert json.loads(body)["code"] == "unimplemented" and b"POST" in body


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/cal/echo.echo", "/calls/echo.echo", "/index.html", "/favicon.ico"])
def test_a_path_that_is_none_is_told_what_there_is(echo, method, path):
    status, _, body = ask(echo, path, TEXT, method)
    assert status == 404 and b"POST /call/MODULE.VERB" in body and path.encode() in body


def test_headers_that_are_not_understood_are_refused(echo):
    assert refused(echo, "/call/echo.echo?x=1", TEXT)[:2] == (400, "invalid_argument")
    assert refused(echo, "/call/echo.echo", TEXT, content_encoding="br")[:2] == (501, "unimplemented")
    assert refused(echo, "/call/echo.echo", TEXT, content_type="multipart/form-data; boundary=x")[0] == 400
    assert refused(echo, "/call/echo.echo", TEXT, connect_timeout_ms="soon")[0] == 400


def test_bodies_may_be_compressed(echo):
    status, headers, body = ask(echo, "/call/echo.echo", gzip.compress(TEXT), content_encoding="gzip")
    assert (status, body, headers["content-encoding"]) == (200, TEXT, None)
    status, headers, body = ask(echo, "/call/echo.big", TEXT, accept_encoding="gzip")
    assert (status, headers["content-encoding"], len(gzip.decompress(body))) == (200, "gzip", 100002)
    assert len(body) < 1000
    assert refused(echo, "/call/echo.echo", b"no gzip", content_encoding="gzip")[0] == 400


def test_a_deadline_passes(echo):
    assert refused(echo, "/call/echo.slow", TEXT, connect_timeout_ms="50")[:2] == (504, "deadline_exceeded")


def test_a_body_over_the_limit_is_refused(make_backplane):
    backplane = make_backplane("--max-message", "10KB").start()
    runner = FakeRunner(backplane)
    try:
        runner.register()
        backplane.wait_live(backplane.deploy(module()))
        status, code, _, message = refused(backplane, "/call/echo.echo", json.dumps({"text": "x" * 20000}).encode())
        assert (status, code) == (429, "resource_exhausted") and "max-message" in message
        assert ask(backplane, "/call/echo.echo", TEXT)[0] == 200
    finally:
        runner.die()


def test_a_module_that_is_stopped_is_unavailable(echo):
    echo.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=0))
    wait_for(lambda: ask(echo, "/call/echo.echo", TEXT)[0] == 503, "the end of the replica")
    assert refused(echo, "/call/echo.echo", TEXT)[1:3] == ("unavailable", "SCALED_TO_ZERO")


def test_pages_of_this_machine_may_call(echo):
    status, headers, _ = ask(
        echo, "/call/echo.echo", b"", "OPTIONS", origin="http://localhost:3000", access_control_request_method="POST"
    )
    assert status == 204 and headers["access-control-allow-origin"] == "http://localhost:3000"
    status, headers, _ = ask(echo, "/call/echo.echo", TEXT, origin="http://localhost:3000")
    assert (status, headers["access-control-allow-origin"]) == (200, "http://localhost:3000")
    assert ask(echo, "/call/echo.echo", TEXT, origin="https://evil.example")[0] == 403


def test_a_call_has_the_headers_of_any_call(echo):
    assert ask(echo, "/call/echo.echo", TEXT, user_agent="page", x_shop="7")[0] == 200
    request, metadata, _ = echo.host.calls.get(timeout=LONG)
    assert (request.verb.module, request.verb.name, request.body) == ("echo", "echo", TEXT)
    headers = dict(metadata)
    assert headers["x-shop"] == "7" and "ftl-request-id" in headers
