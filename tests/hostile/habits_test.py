# SPDX-License-Identifier: Apache-2.0
"""Frames that ordinary stacks send beside their calls, at thousands of calls a second: no flood, so nothing is cut."""

import struct

import pytest

from peers import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY_UPDATE, RST_STREAM, SETTINGS,
                   WINDOW_UPDATE, envelope, frame, literal, request_headers)

CALLS = 4000
AT_A_TIME = 100
CANCEL = struct.pack(">I", 8)


def each_frame(connection):
    """(kind, flags, stream, payload) of each frame that comes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
        at = 0
        while at + 9 <= len(received) and at + 9 + int.from_bytes(received[at:at + 3], "big") <= len(received):
            end = at + 9 + int.from_bytes(received[at:at + 3], "big")
            yield received[at + 3], received[at + 4], int.from_bytes(received[at + 5:at + 9], "big"), received[at + 9:end]
            at = end
        received = received[at:]


class Habits:
    """What a client sends beside its calls, as bytes."""
    step = 2  # from the stream of one call to that of the next

    def request(self, stream):
        return (frame(HEADERS, END_HEADERS, stream, request_headers("Unary")) +
                frame(DATA, END_STREAM, stream, envelope(b"")))

    def on_data(self, stream, size):
        return frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", size))

    def on_end(self, stream):
        return b""

    def on_ack(self):
        return b""


class GrpcGo(Habits):
    """grpc-go, also hyper and older Netty: a PING beside a DATA frame, while no other is on its way; it returns the
    connection's window with it, and the stream's."""

    def __init__(self):
        self.pinged = False

    def on_data(self, stream, size):
        windows = super().on_data(stream, size) + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))
        if self.pinged:
            return windows
        self.pinged = True
        return windows + frame(PING, 0, 0, bytes([2, 4, 16, 16, 9, 14, 7, 7]))

    def on_ack(self):
        self.pinged = False
        return b""


class EagerGrpcGo(GrpcGo):
    """The same on a network that answers each PING before the next DATA frame comes: a PING beside every one."""

    def on_data(self, stream, size):
        self.pinged = False
        return super().on_data(stream, size)


class ResetsWhatHasEnded(Habits):
    """A client gives the call up at the moment at which its answer comes: hedging, select(), a closed context."""

    def on_end(self, stream):
        return frame(RST_STREAM, 0, stream, CANCEL)


class SendsTwice(Habits):
    """A client that sends each call twice and drops the later one: as many resets as answers."""
    step = 4

    def request(self, stream):
        return (super().request(stream) + frame(HEADERS, END_HEADERS, stream + 2, request_headers()) +
                frame(RST_STREAM, 0, stream + 2, CANCEL))


class Browser(Habits):
    """A browser changes the priority of its requests, and has no body but for a last, empty frame."""

    def request(self, stream):
        return (frame(HEADERS, END_HEADERS, stream, request_headers("Unary")) + frame(DATA, 0, stream) +
                frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", stream) + b"u=1") +
                frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", stream) + b"u=3") +
                frame(DATA, END_STREAM, stream, envelope(b"")))


def call_all(connection, habits, streams):
    """Makes a call on each stream, AT_A_TIME at once. Returns how many were answered before the server closed."""
    answered = 0
    streams = iter(streams)
    connection.sendall(b"".join(habits.request(next(streams)) for _ in range(AT_A_TIME)))
    for kind, flags, stream, payload in each_frame(connection):
        send = b""
        if kind == GOAWAY:
            return answered
        if kind == SETTINGS and not flags & ACK:
            send = frame(SETTINGS, ACK, 0)
        if kind == PING and flags & ACK:
            send = habits.on_ack()
        if kind == DATA and payload:
            send = habits.on_data(stream, len(payload))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            answered += 1
            following = next(streams, None)
            send += habits.on_end(stream) + (habits.request(following) if following else b"")
        if answered == CALLS:
            return answered
        if send:
            connection.sendall(send)
    return answered


@pytest.mark.parametrize("habits", [Habits, GrpcGo, EagerGrpcGo, ResetsWhatHasEnded, SendsTwice, Browser])
def test_habits_of_ordinary_clients(server, habits):
    with server.connect_h2() as connection:
        assert call_all(connection, habits(), range(1, habits.step * CALLS, habits.step)) == CALLS
        assert server.lives_on()


def test_deadlines_that_pass(server):
    """As after a stall of the server: it reads 3,000 calls with the resets that followed them at their deadlines."""
    with server.connect_h2() as connection:
        for first in range(1, 6001, 100):
            connection.sendall(b"".join(
                frame(HEADERS, END_HEADERS, stream, request_headers() + literal("grpc-timeout", "20m")) +
                frame(RST_STREAM, 0, stream, CANCEL) for stream in range(first, first + 100, 2)))
        connection.sendall(frame(PING, 0, 0, b"the last"))
        assert any(kind == PING and payload == b"the last" for kind, _, _, payload in each_frame(connection))
        assert server.lives_on()
