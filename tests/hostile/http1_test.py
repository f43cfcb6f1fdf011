# SPDX-License-Identifier: Apache-2.0
"""Attacks on HTTP/1.1, on connections, and on TLS."""

import os
import re
import resource
import socket
import ssl
import subprocess
import time

import pytest

from peers import LONG, SERVICE, Server, read_all, tls_context, wait_for

PATH = (SERVICE + "Unary").encode()


@pytest.mark.parametrize("head, body", [
    (b"Content-Length: 5\r\nContent-Length: 6", b"hello!"),
    (b"Content-Length: 5\r\nContent-Length: 5", b"hello"),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    (b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n"),
    (b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    (b"X: a\nContent-Length: 5", b"hello"),
    (b"X: a\r\n Content-Length: 5", b"hello"),
    (b"Content-Length: +5", b"hello"),
    (b"Transfer-Encoding: chunked", b"5\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"5\r\nhelloXX0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"-5\r\nhello\r\n0\r\n\r\n"),
])
def test_smuggling_shapes(server, head, body):
    """The server refuses the request, and does not parse the bytes after it."""
    with server.connect() as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/proto\r\n%s\r\n\r\n%s" % (PATH, head, body) +
                           b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/proto\r\n\r\n" % PATH)
        answer = read_all(connection)
    assert b"200 OK" not in answer
    assert answer.count(b"HTTP/1.1") <= 1
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert server.reasons("closed the connection") == 1


GOOD = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


def test_head_is_answered_without_a_body(server):
    """A body would be read as the beginning of the next response."""
    with server.connect() as connection:
        connection.sendall(GOOD.replace(b"GET", b"HEAD") + GOOD.replace(b"Host: a", b"Host: a\r\nConnection: close"))
        head, rest = read_all(connection).split(b"\r\n\r\n", 1)
    assert re.search(rb"content-length: [1-9]", head), head
    assert rest.startswith(b"HTTP/1.1 4"), rest


@pytest.mark.parametrize("second, status", [
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", b"505"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", b"431"),
])
def test_a_later_request_is_refused_with_its_status(server, second, status):
    """The first request's answer is complete, so the connection can still say what is wrong with the next."""
    with server.connect() as connection:
        connection.sendall(GOOD)
        first = connection.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 4") and b"connection: close" not in first
        connection.sendall(second)
        assert read_all(connection).startswith(b"HTTP/1.1 " + status)


def test_no_second_answer_while_the_rest_of_a_request_is_dropped(server):
    """An error in the rest of a request that has been answered closes the connection without a second answer."""
    with server.connect() as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnect-Timeout-Ms: x\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n" % PATH)
        first = connection.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 400")
        connection.sendall(b"not a chunk\r\n" * 10)
        assert read_all(connection) == b""
    assert server.reasons("the size of a chunk") == 1


def test_slow_headers(server):
    with server.connect() as connection:
        try:
            for byte in b"POST / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        except ConnectionError:
            pass
    assert server.reasons("header-timeout") == 1


def test_slow_body(server):
    with server.connect() as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{" % PATH)
        read_all(connection)
    assert server.reasons("in the middle of a message; stall-timeout") == 1


def test_silent_connection(server):
    with server.connect() as connection:
        assert connection.recv(1) == b""
    assert server.reasons("did not tell what it speaks; header-timeout") == 1


def test_many_closed_connections_are_logged_in_few_lines(server):
    """The log counts each of them in a few lines."""
    for _ in range(30):
        with server.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
            read_all(connection)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_all(connection)
    assert server.reasons("a request has one Host, and this one has 0") == 1
    told = [re.search("closed (the|[0-9]+ more) connection", line) for line in list(server.lines)]
    counts = [1 if one[1] == "the" else int(one[1].split()[0]) for one in told if one]
    assert sum(counts) == 31 and len(counts) < 10


def test_large_headers(server):
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 431")
    assert b"max-header-bytes is 16384" in answer


MANY = 16 * 1024 - 200  # within max-header-bytes


@pytest.mark.parametrize("path", [
    b"/x?" + b"&" * MANY,
    PATH + b"?connect=v1&" + b"a&" * (MANY // 2 - 40),
    PATH + b"?connect=v1&" + b"message=a&" * (MANY // 10 - 20),
    PATH + b"?connect=v1&" + b"a=%41&" * (MANY // 6 - 40) + b"a=%4",
    PATH + b"?connect=v1&base64=1&message=" + b"A" * (MANY - 100),
])
def test_many_parameters(server, path):
    """Thousands of query parameters in one request line."""
    with server.connect() as connection:
        connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path)
        assert read_all(connection).startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405"))


@pytest.mark.parametrize("kind", [b"application/json", b"application/grpc-web", b"application/connect+json"])
def test_many_headers(server, kind):
    """Empty headers, as many as max-header-bytes allows."""
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: 2\r\nConnection: close\r\n" % (PATH, kind)
    count = (16384 - len(head) - 32 * 6 - 2) // (len(b"a:\r\n") + 32)
    with server.connect() as connection:
        connection.sendall(head + b"a:\r\n" * count + b"\r\n{}")
        assert b"max-header-bytes" not in read_all(connection)


def test_pipelining_costs_one_read(server):
    """The server reads no further requests while the client does not read the answers."""
    request = b"GET %sIdempotentUnary?connect=v1&encoding=json&message=%%7B%%7D HTTP/1.1\r\nHost: a\r\n\r\n" % SERVICE.encode()
    assert server.answers()
    before = server.peak_mib()
    with server.connect() as connection, pytest.raises(ConnectionError):
        for _ in range(64):
            connection.sendall(request * ((1 << 20) // len(request)))
    assert server.reasons("it does not read what is sent to it; stall-timeout") == 1
    assert server.peak_mib() - before < 8


def test_ten_thousand_idle_connections():
    """At most 4 KiB each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    if hard != resource.RLIM_INFINITY and hard < wanted + 100:
        pytest.skip(f"{hard} open files are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 100), hard))
    server = Server("--timeouts", "600000")
    subprocess.run(["prlimit", f"--pid={server.process.pid}", f"--nofile={wanted + 100}:{wanted + 100}"], check=True)
    assert server.answers()
    before = server.peak_mib()
    connections = []
    try:
        for _ in range(wanted):
            connections.append(server.connect())
        assert server.lives_on()
        assert server.peak_mib() - before < 40
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        server.stop()


def test_half_closed_tls(tls_server):
    """Connections that are cut in the handshake, or without a close_notify."""
    with tls_server.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    raw = tls_server.connect()
    with tls_context().wrap_socket(raw) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{" % PATH)
        os.close(connection.detach())
    with tls_server.connect() as connection:  # a handshake that stops
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        read_all(connection)
    assert tls_server.reasons("header-timeout") == 1


def test_half_closed_tls_is_closed(tls_server):
    """Clients end their side and keep the socket: with a close_notify, without, and within a request."""
    before = tls_server.descriptors()
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{" % PATH
    kept = []
    for number in range(60):
        connection = tls_context().wrap_socket(tls_server.connect(), suppress_ragged_eofs=True)
        connection.sendall(head if number % 2 else b"")
        kept.append(connection.unwrap() if number % 3 == 0 else connection)
        if number % 3:
            socket.socket.shutdown(connection, socket.SHUT_WR)
    # One connection may be the bystander's.
    assert wait_for(lambda: tls_server.descriptors() <= before + 1)
    assert tls_server.peak_mib() < 64
    for connection in kept:
        connection.close()


def test_half_closed_tls_is_answered(tls_server):
    """A client sends its close_notify after the request, and then reads the answer, which comes later."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context().wrap_bio(incoming, outgoing)
    body = b'{"responseDefinition":{"responseDelayMs":1500,"responseData":"aGk="}}'
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (PATH, len(body))

    def run(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))

    with tls_server.connect() as connection:
        run(tls.do_handshake)
        tls.write(head + body)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()  # sends the close_notify, and would wait for the server's
        connection.sendall(outgoing.read())
        answer = b""
        with pytest.raises(ssl.SSLZeroReturnError):
            while True:
                answer += run(lambda: tls.read(65536))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"}")
    assert b"aGk=" in answer and b"connection: close" in answer


def test_old_tls_is_refused(tls_server):
    context = tls_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tls_server.connect() as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(connection)
    assert tls_server.reasons("unsupported protocol") == 1


def fingerprint(server):
    with tls_context().wrap_socket(server.connect()) as connection:
        return connection.getpeercert(binary_form=True)


def test_certificates_are_reloaded_without_dropping_a_connection(tls_server):
    context = tls_context()
    with context.wrap_socket(tls_server.connect()) as old:
        before = old.getpeercert(binary_form=True)
        old.sendall(b"GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n")
        assert old.recv(65536).startswith(b"HTTP/1.1 404")
        times = [(path, path.stat().st_mtime_ns) for path in tls_server.folder.glob("*.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        tls_server.folder / "key.pem", "-out", tls_server.folder / "cert.pem", "-days", "2", "-subj",
                        "/CN=other"], check=True, capture_output=True)
        for path, changed in times:  # as unpacking an archive sets them
            os.utime(path, ns=(changed, changed))
        end = time.monotonic() + LONG
        while fingerprint(tls_server) == before and time.monotonic() < end:
            time.sleep(0.2)
        assert fingerprint(tls_server) != before
        old.sendall(b"GET /nobody HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(old).startswith(b"HTTP/1.1 404")
