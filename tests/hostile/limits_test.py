# SPDX-License-Identifier: Apache-2.0
"""Limits that an ordinary client may reach too: connections, streams, and silence."""

import struct
import time

import pytest

import peers
from peers import (ACK, END_HEADERS, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, goaway_code,
                   read_all, request_headers, wait_for)

REFUSED_STREAM = 7
IDLE_MS = 500


@pytest.fixture
def make_server():
    servers = []

    def make(*options):
        servers.append(peers.Server(*options))
        return servers[-1]

    yield make
    for server in servers:
        assert server.process.poll() is None, "the server did not survive"
        server.stop()


def test_connections(make_server):
    server = make_server("--max-connections", "4", "--timeouts", "600000")
    connections = [server.connect_h2() for _ in range(4)]
    for connection in connections:
        assert connection.recv(1), "it was not taken"
    for _ in range(3):
        with server.connect() as further:
            assert read_all(further) == b""
    assert server.reasons("refusing connections: there are 4, and max-connections is 4") == 1
    connections.pop().close()
    assert wait_for(server.answers)
    for connection in connections:
        connection.close()


def frames(received):
    offset = 0
    while offset + 9 <= len(received):
        end = offset + 9 + int.from_bytes(received[offset:offset + 3], "big")
        yield received[offset + 3], int.from_bytes(received[offset + 5:offset + 9], "big"), received[offset + 9:end]
        offset = end


def take_frames(connection, kind):
    """Reads until a frame of the kind is complete; returns its stream and payload."""
    received = b""
    while True:
        piece = connection.recv(65536)
        assert piece, "the connection was closed"
        received += piece
        offset = 0
        while offset + 9 <= len(received):
            end = offset + 9 + int.from_bytes(received[offset:offset + 3], "big")
            if received[offset + 3] == kind and end <= len(received):
                return int.from_bytes(received[offset + 5:offset + 9], "big"), received[offset + 9:end]
            offset = end


def test_streams(make_server):
    """A stream over the limit is refused until the client has the server's SETTINGS; after that it breaks a rule."""
    server = make_server("--timeouts", "600000")
    with server.connect_h2() as connection:
        for stream in range(1, 2 * 257, 2):
            connection.sendall(frame(HEADERS, END_HEADERS, stream, request_headers()))
        assert take_frames(connection, RST_STREAM) == (513, struct.pack(">I", REFUSED_STREAM))
        connection.sendall(frame(SETTINGS, ACK, 0) + frame(HEADERS, END_HEADERS, 515, request_headers()))
        take_frames(connection, GOAWAY)
    assert server.reasons("one stream more at a time than max-streams, which is 256") == 1
    assert server.answers()


def test_silence_without_a_request(make_server):
    server = make_server("--idle", str(IDLE_MS))
    with server.connect() as connection, server.connect_h2() as second:
        connection.sendall(b"GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 404")
        assert goaway_code(read_all(second)) == 0
    assert wait_for(lambda: server.reasons(f"idle-timeout is {IDLE_MS} ms") == 2)


def test_a_request_after_the_goaway_does_not_run(make_server):
    """gRPC answers a ping before it sends a request that it has begun. The GOAWAY does not cover that request, so the
    client sends it again elsewhere, and it must not run here."""
    server = make_server("--idle", str(IDLE_MS))
    with server.connect_h2() as connection:
        _, payload = take_frames(connection, PING)
        first, second = (frame(HEADERS, END_HEADERS, stream, request_headers()) for stream in (1, 3))
        connection.sendall(first + frame(PING, ACK, 0, payload) + second)
        received = b""
        while RST_STREAM not in [kind for kind, _, _ in frames(received)]:
            piece = connection.recv(65536)
            assert piece, "it was taken"
            received += piece
    told = {kind: (stream, payload) for kind, stream, payload in frames(received)}
    assert told[GOAWAY][1][:4] == struct.pack(">I", 1)
    assert told[RST_STREAM] == (3, struct.pack(">I", REFUSED_STREAM))


def test_silence_within_a_call(make_server):
    """A call may be silent, however long it lasts."""
    server = make_server("--idle", str(IDLE_MS))
    with server.connect_h2() as connection:
        connection.sendall(frame(HEADERS, END_HEADERS, 1, request_headers()))
        with server.connect() as other:  # closed when idle; the first connection outlives it by far
            assert read_all(other) == b""
        time.sleep(IDLE_MS / 1000 * 3)
        connection.sendall(peers.frame(peers.DATA, peers.END_STREAM, 1))
        assert take_frames(connection, HEADERS)[0] == 1
