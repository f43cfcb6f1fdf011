# SPDX-License-Identifier: Apache-2.0
"""Messages that the server must buffer whole (JSON, gzip), and answers that the client does not read: all of them together
stay within max-held."""

import gzip
import select
import struct

import pytest

import peers
from peers import DATA, END_HEADERS, HEADERS, SERVICE, envelope, frame, literal, read_all, wait_for

MIB = 1 << 20
PATH = (SERVICE + "Unary").encode()


@pytest.fixture
def server():
    server = peers.Server("--max-held", str(32 * MIB), "--timeouts", "600000")
    yield server
    assert server.process.poll() is None, "the server did not survive"
    server.stop()


def request(size, *headers):
    lines = [b"POST %s HTTP/1.1" % PATH, b"Host: a", b"Content-Length: %d" % size, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def as_json(size):
    return b'{"requestData":"' + b"A" * size + b'"}'


def answered(connections):
    return select.select(connections, [], [], 0)[0]


def is_taken(server, body):
    with server.connect() as connection:
        try:
            connection.sendall(request(len(body), b"Content-Type: application/json", b"Connection: close") + body)
        except OSError:  # refused: the answer can be read
            pass
        return read_all(connection).startswith(b"HTTP/1.1 200")


def test_incomplete_messages(server):
    """The clients offer 100 MiB: the server refuses what passes 32, and always has room for small messages."""
    half = request(2 * MIB, b"Content-Type: application/json") + as_json(2 * MIB)[:MIB]
    connections = [server.connect() for _ in range(100)]
    for connection in connections:
        connection.sendall(half)
    assert wait_for(lambda: len(answered(connections)) >= 60)
    assert server.peak_mib() < 80
    assert server.answers()
    refused = answered(connections)
    assert len(refused) < 100, "none of them was held"
    for connection in refused:
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 429") and b"max-held is 33554432" in answer

    # Messages that grew at the same time may all have been refused, which leaves room.
    def add_one():
        connections.append(server.connect())
        connections[-1].sendall(half)

    assert wait_for(lambda: not is_taken(server, as_json(4 * MIB)) or add_one()), "there is no end to what it holds"
    for connection in connections:
        connection.close()
    assert wait_for(lambda: is_taken(server, as_json(4 * MIB))), "what was held is not given back"


def test_compressed_messages(server):
    """A few KB unfold to 4 MiB, and to an answer of 8 MiB that is not read."""
    data = bytes(4 * MIB)
    body = gzip.compress(b"\x12" + varint(len(data)) + data)
    connections = [server.connect() for _ in range(24)]
    for connection in connections:
        connection.sendall(request(len(body), b"Content-Type: application/proto", b"Content-Encoding: gzip",
                                   b"Accept-Encoding: identity") + body)
    assert wait_for(lambda: len(answered(connections)) == 24)
    begun = [connection.recv(8192) for connection in connections]
    refused = [answer for answer in begun if answer.startswith(b"HTTP/1.1 429") and b"max-held is 33554432" in answer]
    assert 12 <= len(refused) < 24
    assert sum(answer.startswith(b"HTTP/1.1 200") for answer in begun) == 24 - len(refused)
    assert server.answers()
    for connection in connections:
        connection.close()
    assert wait_for(lambda: is_taken(server, as_json(4 * MIB))), "what was held is not given back"


def test_unread_answers(server):
    """Small requests for large answers, on streams whose window is closed."""
    asked = b"\x22\x2cconnectrpc.conformance.v1.ConformanceService"
    path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    with server.connect_h2(struct.pack(">HI", 4, 0)) as connection:
        for stream in range(1, 201, 2):
            headers = (literal(":method", "POST") + literal(":scheme", "http") + literal(":authority", "a") +
                       literal(":path", path) + literal("content-type", "application/grpc"))
            connection.sendall(frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, 0, stream, envelope(asked) * 200))
        assert server.answers()
        assert server.peak_mib() < 80


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
