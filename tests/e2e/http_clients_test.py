# SPDX-License-Identifier: Apache-2.0
"""HTTP as other people's clients send it: bytes on a socket, and no library that could set them right."""

import base64
import gzip
import json
import re
import socket
import subprocess
import threading
import time

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import FTL, LONG, module, wait_for

CALL = "/xyz.block.ftl.v1.VerbService/Call"
PING = "/xyz.block.ftl.v1.BackplaneService/Ping"


def connect(backplane):
    if backplane.endpoint.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LONG)
        connection.connect(backplane.endpoint.removeprefix("unix:"))
        return connection
    host, port = backplane.target.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=LONG)


def post(path, body, *headers, kind="application/json", version="HTTP/1.1"):
    head = [f"POST {path} {version}", "Host: a", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def call_of(name, body=b'{"text":"x"}'):
    module_name, verb = name.split(".")
    text = base64.b64encode(body).decode()
    return json.dumps({"verb": {"module": module_name, "name": verb}, "body": text}).encode()


def read_all(connection):
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def answers_in(received):
    """[(status, headers, body)] of responses that tell their length or come in chunks; no byte may be left over."""
    found = []
    while received:
        head, received = received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) \w+", first)[1])
        headers = dict(line.split(": ", 1) for line in lines)
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while True:
                size, received = received.split(b"\r\n", 1)
                piece, received = received[: int(size, 16)], received[int(size, 16) :]
                assert received.startswith(b"\r\n")
                received = received[2:]
                if not piece:
                    break
                body += piece
        else:
            length = int(headers["content-length"])
            body, received = received[:length], received[length:]
            assert len(body) == length
        found.append((status, headers, body))
    return found


def body_of(answer):
    status, _, body = answer
    assert status == 200, answer
    return base64.b64decode(json.loads(body)["body"])


@pytest.fixture(params=["tcp", "unix"])
def either(request, make_backplane, tmp_path):
    """A Backplane on TCP, and one on a UNIX socket."""
    if request.param == "tcp":
        return make_backplane("--warm", "0").start()
    return make_backplane("--warm", "0", bind=f"unix:{tmp_path}/b.sock").start()


@pytest.fixture
def host(make_runner):
    """Deploys a module with these verbs on a Runner of its own."""

    def host(backplane, name, **verbs):
        make_runner(backplane=backplane, language=name, verbs=verbs).register()
        backplane.wait_live(backplane.deploy(module(name, verbs=list(verbs), language=name)))

    return host


class Gate:
    """A verb that waits for the test, and says whether its caller has given it up."""

    def __init__(self):
        self.began, self.go_on, self.given_up = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, request, context):
        context.add_callback(lambda: None if self.go_on.is_set() else self.given_up.set())
        self.began.set()
        wait_for(lambda: self.go_on.is_set() or self.given_up.is_set(), "the test")
        return request.body


# --- half-closed connections


@pytest.mark.parametrize("headers", [[], ["Connection: close"]])
def test_a_client_that_ends_its_side_is_answered(either, host, headers):
    """The call runs on, however long it takes; nothing of the answer is lost or doubled."""
    gate = Gate()
    host(either, "slow", wait=gate)
    with connect(either) as connection:
        connection.sendall(post(CALL, call_of("slow.wait"), *headers))
        connection.shutdown(socket.SHUT_WR)
        assert gate.began.wait(LONG)
        time.sleep(1.5)  # the server has looked twice whether the client is still there
        assert not gate.given_up.is_set()
        gate.go_on.set()
        (answer,) = answers_in(read_all(connection))
    assert body_of(answer) == b'{"text":"x"}'
    assert answer[1]["connection"] == "close"


def test_requests_in_a_pipeline_are_all_answered_before_the_close(either, host):
    host(either, "echo", echo=lambda request, context: request.body)
    bodies = [b'{"text":"%d"}' % number for number in range(20)]
    requests = b"".join(post(CALL, call_of("echo.echo", body)) for body in bodies)
    with connect(either) as connection:
        connection.sendall(requests)
        connection.shutdown(socket.SHUT_WR)
        answers = answers_in(read_all(connection))
    assert [body_of(answer) for answer in answers] == bodies


def test_an_answer_that_waits_for_its_reader_is_not_lost(either, host):
    """The client ends its side while most of a large answer still waits for room in the kernel."""
    large = b'{"text":"' + b"x" * (6 << 20) + b'"}'
    host(either, "echo", large=lambda request, context: large)
    with connect(either) as connection:
        connection.sendall(post(CALL, call_of("echo.large"), "Connection: close"))
        received = connection.recv(1000)
        time.sleep(0.3)
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        (answer,) = answers_in(received + read_all(connection))
    assert body_of(answer) == large


def test_clients_that_do_not_read_a_last_answer_hold_up_nobody(make_backplane, host, tmp_path):
    """Answers of many sizes, so that the last piece of some is what the kernel has no room for."""
    either = make_backplane("--warm", "0", bind=f"unix:{tmp_path}/b.sock").start()
    host(either, "echo", large=lambda request, context: b"x" * int(json.loads(request.body)["text"]))
    sizes = range(64 << 10, 400 << 10, 16 << 10)
    waiting = []
    for size in sizes:
        waiting.append(connect(either))
        waiting[-1].sendall(post(CALL, call_of("echo.large", b'{"text":"%d"}' % size), "Connection: close"))
    time.sleep(1)
    for _ in range(8):  # on each thread
        with connect(either) as connection:
            connection.sendall(post(CALL, call_of("echo.large", b'{"text":"3"}'), "Connection: close"))
            assert body_of(answers_in(read_all(connection))[0]) == b"xxx"
    for size, connection in zip(sizes, waiting, strict=True):
        (answer,) = answers_in(read_all(connection))
        assert body_of(answer) == b"x" * size
        connection.close()


STREAM = "/xyz.block.ftl.v1.BackplaneService/StreamEvents"


def frames_in(body):
    """[(flags, JSON)] of a stream of Connect, which may end within a frame."""
    found = []
    while len(body) >= 5 + (size := int.from_bytes(body[1:5], "big")):
        found.append((body[0], json.loads(body[5 : 5 + size])))
        body = body[5 + size :]
    return found


def unchunk(received):
    """The body in chunks so far, which may end within a chunk."""
    body = b""
    while b"\r\n" in received:
        size, rest = received.split(b"\r\n", 1)
        body += rest[: int(size, 16)]
        received = rest[int(size, 16) + 2 :]
    return body


def read_until(connection, text):
    received = b""
    while text not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def check_events(body):
    """The stream has what happened before its request, and what happened after."""
    frames = frames_in(body)
    kinds = [event["event"]["kind"] for _, event in frames]
    assert {flags for flags, _ in frames} == {0}
    assert kinds[0] == "EVENT_KIND_BACKPLANE_STARTED" and "EVENT_KIND_DEPLOYMENT_CREATED" in kinds, kinds


def test_chunks_and_a_stream_to_a_half_closed_client(either):
    """A request in chunks is complete with its last chunk, and the pieces of a stream go on as long as it lasts."""
    message = b'{"tail":100,"follow":true}'
    body = b"\0" + len(message).to_bytes(4, "big") + message
    with connect(either) as connection:
        head = f"POST {STREAM} HTTP/1.1\r\nHost: a\r\nContent-Type: application/connect+json\r\n".encode()
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        connection.shutdown(socket.SHUT_WR)
        time.sleep(1.5)  # the server has looked twice whether the client is still there
        either.deploy(module())
        head, chunks = read_until(connection, b"DEPLOYMENT_CREATED").split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200")
    assert re.search(rb"\r\n0+[1-9a-f][0-9a-f]*\r\n", chunks), "no zero was sent ahead of a size"
    check_events(unchunk(chunks))


def abort_by_close(connection):
    connection.close()


def abort_half_closed(connection):
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.6)
    connection.close()


@pytest.mark.parametrize("abort", [abort_by_close, abort_half_closed])
def test_a_client_that_is_gone_still_gives_up_its_call(either, host, abort):
    gate = Gate()
    host(either, "slow", wait=gate)
    connection = connect(either)
    connection.sendall(post(CALL, call_of("slow.wait")))
    assert gate.began.wait(LONG)
    start = time.monotonic()
    abort(connection)
    assert gate.given_up.wait(LONG)
    assert time.monotonic() - start < 8


@pytest.mark.parametrize(
    "request_, words",
    [
        (post(CALL, call_of("echo.echo"))[:-5], b"in the middle of a request's body"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"request's body"),
        (b"POST / HTTP/1.1\r\nHost:", b"in the middle of a request's head"),
    ],
)
def test_half_a_request_does_not_run(either, make_runner, request_, words):
    runner = make_runner(backplane=either).register()
    either.wait_live(either.deploy(module()))
    with connect(either) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        ((status, headers, body),) = answers_in(read_all(connection))
    assert status == 400 and headers["connection"] == "close"
    assert words in body
    assert runner.calls.empty()
    assert "closed the connection" not in either.log()


# --- a query after the path of a method


def serve_echo(backplane, make_runner):
    make_runner(backplane=backplane).register()
    backplane.wait_live(backplane.deploy(module()))


def ask(backplane, request_):
    with connect(backplane) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        (answer,) = answers_in(read_all(connection))
    return answer


@pytest.mark.parametrize("query", ["?x=1", "?", "?a=b&c=/d?e", "?connect=v1"])
def test_a_query_is_no_part_of_a_methods_name(backplane, make_runner, query):
    serve_echo(backplane, make_runner)
    assert body_of(ask(backplane, post(CALL + query, call_of("echo.echo")))) == b'{"text":"x"}'
    assert ask(backplane, post(PING + query, b"{}"))[0] == 200  # the control side's
    request_ = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b"{}").SerializeToString()
    web = post(CALL + query, b"\0" + len(request_).to_bytes(4, "big") + request_, kind="application/grpc-web")
    assert b"grpc-status:0" in ask(backplane, web)[2].replace(b" ", b"")
    grpc_call = backplane.channel.unary_unary(CALL + query)
    assert ftl.CallResponse.FromString(grpc_call(request_, timeout=LONG)).body == b"{}"


def test_an_unknown_method_is_named_without_its_query(backplane):
    status, _, body = ask(backplane, post(CALL + "er?secret=1", b"{}"))
    assert status == 501
    assert b"VerbService/Caller here" in body and b"secret" not in body
    with pytest.raises(grpc.RpcError) as caught:
        backplane.channel.unary_unary("/nobody/Nothing?secret=1")(b"", timeout=LONG)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "/nobody/Nothing here" in caught.value.details()


# --- names without case


@pytest.mark.parametrize(
    "kind", ["Application/JSON", "APPLICATION/JSON; Charset=UTF-8", "application/Json", "Application/Proto"]
)
def test_media_types_have_no_case(backplane, make_runner, kind):
    serve_echo(backplane, make_runner)
    request_ = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b'{"text":"x"}')
    is_json = "json" in kind.lower()
    answer = ask(backplane, post(CALL, call_of("echo.echo") if is_json else request_.SerializeToString(), kind=kind))
    assert answer[0] == 200, answer
    body = body_of(answer) if is_json else ftl.CallResponse.FromString(answer[2]).body
    assert body == b'{"text":"x"}'
    assert answer[1]["content-type"] == ("application/json" if is_json else "application/proto")


@pytest.mark.parametrize("kind", ["Application/gRPC-Web+Proto", "application/GRPC-WEB", "Application/Connect+Proto"])
def test_media_types_of_streams_have_no_case(backplane, kind):
    """Frames of either protocol; the answer ends with a frame of trailers, or of JSON."""
    path = "/grpc.health.v1.Health/Check" if "web" in kind.lower() else "/grpc.health.v1.Health/Watch"
    with connect(backplane) as connection:
        connection.sendall(post(path, b"\0\0\0\0\0", kind=kind))
        received = b""
        while b"\0\0\0\0\2\x08\x01" not in received:  # SERVING
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    assert received.startswith(b"HTTP/1.1 200")


def test_encodings_have_no_case(backplane, make_runner):
    serve_echo(backplane, make_runner)
    body = gzip.compress(call_of("echo.echo", b'{"text":"' + b"x" * 5000 + b'"}'))
    for accepted, coded in [("GZip", True), ("br, gzip;q=1", True), ("gzip;q=0, identity", False)]:
        answer = ask(backplane, post(CALL, body, "Content-Encoding: GZIP", f"Accept-Encoding: {accepted}"))
        assert answer[0] == 200, answer
        assert (answer[1].get("content-encoding") == "gzip") == coded
        text = gzip.decompress(answer[2]) if coded else answer[2]
        assert len(base64.b64decode(json.loads(text)["body"])) == 5011


# --- HTTP/1.0, and questions of load balancers


def http10(method, path, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.0", *headers, *([f"Content-Length: {len(body)}"] if body else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def ask_h2(backplane, method, path):
    """(status, body) over HTTP/2 with prior knowledge."""
    fields = {":method": method, ":scheme": "http", ":authority": "a", ":path": path}
    block = b"".join(b"\0" + bytes([len(k)]) + k.encode() + bytes([len(v)]) + v.encode() for k, v in fields.items())
    body, status = b"", None
    with connect(backplane) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, block))
        received = connection.makefile("rb")
        while head := received.read(9):
            kind, flags, payload = head[3], head[4], received.read(int.from_bytes(head[:3], "big"))
            if kind == 1:  # HEADERS: the status is a number of the static table, or a literal of name 8
                at = payload[0]
                status = {0x88: 200, 0x89: 204, 0x8C: 400, 0x8D: 404}.get(at)
                if status is None:
                    size, text = payload[1] & 127, payload[2:]
                    digits = text[:size] if payload[1] < 128 else HUFFMAN_DIGITS.get(text[:size], b"0")
                    status = int(digits)
            body += payload if kind == 0 else b""
            if kind in (0, 1) and flags & 1:
                break
    return status, body


HUFFMAN_DIGITS = {bytes.fromhex("6c1f"): b"503", bytes.fromhex("680d7f"): b"405"}


def ask_h1(backplane, method, path, version):
    host = ["Host: a"] if version == "HTTP/1.1" else []
    with connect(backplane) as connection:
        connection.sendall(
            ("\r\n".join([f"{method} {path} {version}", *host, "Connection: close"]) + "\r\n\r\n").encode()
        )
        head, body = read_all(connection).split(b"\r\n\r\n", 1)
    assert b"connection: close" in head
    return int(head.split()[1]), body


VERSIONS = {
    "1.0": lambda backplane, *asked: ask_h1(backplane, *asked, "HTTP/1.0"),
    "1.1": lambda backplane, *asked: ask_h1(backplane, *asked, "HTTP/1.1"),
    "2": ask_h2,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/healthz?verbose"])
def test_a_load_balancer_asks_in_every_version(backplane, path, version):
    ask_version = VERSIONS[version]
    assert ask_version(backplane, "GET", path) == (200, b"ok\n")
    assert ask_version(backplane, "HEAD", path) == (200, b"")
    assert ask_version(backplane, "DELETE", path)[0] == 405
    assert ask_version(backplane, "GET", path.replace("z", "zz"))[0] in (404, 405)


def test_a_backplane_that_stops_is_alive_and_not_ready(backplane, make_runner):
    gate = Gate()
    make_runner(backplane=backplane, verbs={"echo": gate}).register()
    backplane.wait_live(backplane.deploy(module()))
    call = backplane.call_future("echo.echo")
    assert gate.began.wait(LONG)
    backplane.process.terminate()
    for ask_version in VERSIONS.values():
        wait_for(lambda: ask_version(backplane, "GET", "/readyz")[0] == 503, "the drain")  # noqa: B023
        assert b"stopping" in ask_version(backplane, "GET", "/readyz")[1]
        assert ask_version(backplane, "GET", "/healthz") == (200, b"ok\n")
    gate.go_on.set()
    assert call.result().body == b"{}"


def test_a_restarted_backplane_is_ready_when_its_routes_are_back(make_backplane, make_runner):
    """Not before what was live takes calls again; a module that does not come back holds that up for seconds only."""
    backplane = make_backplane("--warm", "0", "--drain-timeout", "1s").start()
    first = make_runner(backplane=backplane).register()
    backplane.wait_live(backplane.deploy(module()))
    backplane.kill()
    backplane.start()
    status, why = ask_h1(backplane, "GET", "/readyz", "HTTP/1.1")
    assert (status, why) == (503, b"starting: modules that were live before do not take calls yet\n")
    assert ask_h1(backplane, "GET", "/healthz", "HTTP/1.1") == (200, b"ok\n")
    first.register(deployment_key=first.hosts)
    wait_for(lambda: ask_h1(backplane, "GET", "/readyz", "HTTP/1.0")[0] == 200, "the routes")
    assert backplane.call("echo.echo").body == b"{}"
    first.die()
    backplane.kill()
    backplane.start()  # the module has no entry that the Platform's Runners could start
    assert ask_h2(backplane, "GET", "/readyz")[0] == 503
    wait_for(lambda: ask_h2(backplane, "GET", "/readyz")[0] == 200, "the attempts")


def test_a_runner_is_asked_too(backplane, tmp_path):
    runner = subprocess.Popen(
        [
            FTL,
            "runner",
            "--endpoint",
            backplane.endpoint,
            "--language",
            "test",
            "--bind",
            f"unix:{tmp_path}/r.sock",
            "--key",
            "rnr-mine",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        backplane_like = type("Runner", (), {"endpoint": f"unix:{tmp_path}/r.sock"})
        wait_for(lambda: (tmp_path / "r.sock").exists(), "the socket")
        for ask_version in VERSIONS.values():
            assert ask_version(backplane_like, "GET", "/healthz") == (200, b"ok\n")
            wait_for(lambda: ask_version(backplane_like, "GET", "/readyz") == (200, b"ok\n"), "ready")  # noqa: B023
        backplane.kill()
        wait_for(lambda: ask_h1(backplane_like, "GET", "/readyz", "HTTP/1.0")[0] == 503, "the loss")
        assert ask_h1(backplane_like, "GET", "/healthz", "HTTP/1.0") == (200, b"ok\n")
    finally:
        runner.kill()
        runner.wait()


def test_calls_over_http10(backplane, make_runner):
    """Without a Host, and on a connection that is kept when the client asks for it."""
    serve_echo(backplane, make_runner)
    kind = "Content-Type: application/json"
    request_ = http10("POST", CALL, kind, body=call_of("echo.echo"))
    with connect(backplane) as connection:
        connection.sendall(request_)
        (answer,) = answers_in(read_all(connection))
    assert body_of(answer) == b'{"text":"x"}'
    assert answer[1]["connection"] == "close"
    keep = http10("POST", CALL, kind, "Connection: Keep-Alive", body=call_of("echo.echo"))
    with connect(backplane) as connection:
        connection.sendall(keep + keep + request_)
        answers = answers_in(read_all(connection))
    assert [body_of(answer) for answer in answers] == [b'{"text":"x"}'] * 3
    assert [answer[1]["connection"] for answer in answers] == ["keep-alive", "keep-alive", "close"]


def test_a_stream_over_http10_lasts_until_the_close(backplane):
    """A client of HTTP/1.0 knows no chunks: the end of the connection is the end of the body."""
    message = b'{"tail":100,"follow":true}'
    headers = ["Connection: keep-alive", "Content-Type: application/connect+json"]
    with connect(backplane) as connection:
        connection.sendall(http10("POST", STREAM, *headers, body=b"\0" + len(message).to_bytes(4, "big") + message))
        backplane.deploy(module())
        received = read_until(connection, b"DEPLOYMENT_CREATED")
        backplane.kill()
        head, body = (received + read_all(connection)).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200") and b"connection: close" in head
    assert b"transfer-encoding" not in head and b"content-length" not in head
    check_events(body)
