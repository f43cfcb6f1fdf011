# SPDX-License-Identifier: Apache-2.0
"""Attacks by HTTP/2 frames that are cheap to send and dear to handle."""

import struct
import time

import pytest

from peers import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITY, PRIORITY_UPDATE,
                   RST_STREAM, SETTINGS, TIMEOUT_MS, WINDOW_UPDATE, envelope, frame, goaway_code, literal, read_all,
                   request_headers, send_until_closed)

ENHANCE_YOUR_CALM = 11
MEMORY_MIB = 64  # the most that the server may take during an attack


def large_request(stream):
    """A request of Unary for an answer of 20,000 bytes."""
    data = b"x" * 20000
    definition = b"\x12" + bytes([0x80 | len(data) & 127, len(data) >> 7 & 127 | 0x80, len(data) >> 14]) + data
    size = len(definition)
    body = envelope(b"\x0a" + bytes([0x80 | size & 127, size >> 7 & 127 | 0x80, size >> 14]) + definition)
    return frame(DATA, 0, stream, body[:16000]) + frame(DATA, END_STREAM, stream, body[16000:])


def rapid_reset():
    """CVE-2023-44487."""
    for first in range(1, 200001, 200):
        yield b"".join(frame(HEADERS, END_HEADERS, stream, request_headers()) +
                       frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(first, first + 200, 2))


def made_you_reset():
    """CVE-2025-8671 ("MadeYouReset"): a window that is too large makes the server reset the stream."""
    for first in range(1, 200001, 200):
        yield b"".join(frame(HEADERS, END_HEADERS, stream, request_headers()) + frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff")
                       for stream in range(first, first + 200, 2))


def made_you_reset_by_length():
    """The same by a body that is longer than the request says."""
    for first in range(1, 200001, 200):
        yield b"".join(request(stream, 0, literal("content-length", "1")) + frame(DATA, END_STREAM, stream, b"xx")
                       for stream in range(first, first + 200, 2))


def settings_flood():
    for _ in range(1000):
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 100


def ping_flood():
    for _ in range(1000):
        yield frame(PING, 0, 0, b"12345678") * 100


def empty_frame_flood():
    yield frame(HEADERS, END_HEADERS, 1, request_headers())
    for _ in range(1000):
        yield frame(DATA, 0, 1) * 100


def priority_flood():
    for _ in range(1000):
        yield frame(PRIORITY, 0, 1, struct.pack(">IB", 3, 16)) * 100


def priority_update_flood():
    """RFC 9218; the server does not know this type of frame."""
    for _ in range(1000):
        yield frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1") * 100


def unknown_frame_flood():
    for _ in range(1000):
        yield frame(0xFF, 0, 0) * 100


def padding_flood():
    yield frame(HEADERS, END_HEADERS, 1, request_headers())
    for _ in range(1000):
        yield frame(DATA, PADDED, 1, b"\0") * 100


def window_flood():
    for _ in range(1000):
        yield frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 100


def window_dribble():
    """CVE-2019-9511: a large answer that the client takes byte by byte, with a frame for each byte."""
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    yield frame(HEADERS, END_HEADERS, 1, request_headers("Unary")) + large_request(1)
    for _ in range(1000):
        yield frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1") * 10


def reset_of_nothing_flood():
    """Resets of a stream that is over."""
    yield frame(HEADERS, END_HEADERS, 1, request_headers("Unary"))
    yield frame(DATA, END_STREAM, 1, envelope(b""))
    for _ in range(1000):
        yield frame(RST_STREAM, 0, 1, struct.pack(">I", 8)) * 100


def acknowledgement_flood():
    """Answers to PINGs that were never sent."""
    for _ in range(1000):
        yield frame(PING, ACK, 0, b"12345678") * 100


def rapid_reset_with_deadlines():
    """A deadline in the future excuses no reset."""
    for first in range(1, 200001, 200):
        yield b"".join(frame(HEADERS, END_HEADERS, stream, request_headers() + literal("grpc-timeout", "10S")) +
                       frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(first, first + 200, 2))


def rapid_reset_with_tiny_deadlines():
    """Nor does one that has passed as soon as it was read."""
    for first in range(1, 200001, 200):
        yield b"".join(frame(HEADERS, END_HEADERS, stream, request_headers() + literal("grpc-timeout", "1m")) +
                       frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(first, first + 200, 2))


def empty_continuation_flood():
    """CVE-2024-27316 with empty frames."""
    yield frame(HEADERS, 0, 1, request_headers())
    for _ in range(1000):
        yield frame(CONTINUATION, 0, 1) * 100


@pytest.mark.parametrize("flood, reason", [
    (rapid_reset, "max-resets is 1000"),
    (made_you_reset, "max-resets is 1000"),
    (made_you_reset_by_length, "max-resets is 1000"),
    (settings_flood, "max-control-frames is 500"),
    (ping_flood, "max-control-frames is 500"),
    (empty_frame_flood, "max-control-frames is 500"),
    (priority_flood, "max-control-frames is 500"),
    (priority_update_flood, "max-control-frames is 500"),
    (unknown_frame_flood, "max-control-frames is 500"),
    (padding_flood, "max-control-frames is 500"),
    (window_flood, "max-control-frames is 500"),
    (window_dribble, "max-control-frames is 500"),
    (reset_of_nothing_flood, "max-control-frames is 500"),
    (acknowledgement_flood, "max-control-frames is 500"),
    (rapid_reset_with_deadlines, "max-resets is 1000"),
    (rapid_reset_with_tiny_deadlines, "max-resets is 1000"),
    (empty_continuation_flood, ""),
])
def test_floods_end_with_a_reason(server, flood, reason):
    with server.connect_h2() as connection:
        received = send_until_closed(connection, flood())
    assert received is not None, "the flood was never stopped"
    if reason:
        assert goaway_code(received) in (ENHANCE_YOUR_CALM, None)
    assert server.reasons(reason or "closed the connection") == 1
    assert server.peak_mib() < MEMORY_MIB


@pytest.mark.parametrize("frames_of", [
    lambda stream: request(stream) + frame(WINDOW_UPDATE, 0, stream, bytes(4)),
    lambda stream: request(stream, END_STREAM) + frame(DATA, 0, stream, b"x"),
    lambda stream: request(stream, END_STREAM) * 2,
    lambda stream: request(stream) + frame(HEADERS, END_HEADERS, stream, literal("a", "b")),
    lambda stream: request(stream) + frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(":path", "/")),
    lambda stream: request(stream, 0, literal("content-length", "1")) + frame(DATA, END_STREAM, stream, b"xx"),
    lambda stream: request(stream, 0, literal("Upper", "case")),
    lambda stream: request(stream) + frame(PRIORITY, 0, stream, bytes(4)),
    lambda stream: request(stream) + frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 1)),
])
def test_other_ways_to_make_you_reset(server, frames_of):
    """Other errors over which HTTP/2 resets the stream or ends the connection."""
    with server.connect_h2() as connection:
        received = send_until_closed(connection, (b"".join(frames_of(stream) for stream in range(first, first + 200, 2))
                                                  for first in range(1, 200001, 200)))
    assert received is not None
    assert server.reasons("closed the connection") == 1
    assert server.peak_mib() < MEMORY_MIB


@pytest.mark.parametrize("frames_of", [
    lambda stream: request(stream) + frame(DATA, 0, stream, b"\7\0\0\0\0"),
    lambda stream: request(stream, 0, literal("grpc-timeout", "0n")),
])
def test_calls_that_are_answered_before_they_end(server, frames_of):
    """Errors of gRPC get an ordinary answer before the request has ended, and the server resets the stream after it."""
    with server.connect_h2() as connection:
        received = b""
        for first in range(1, 6001, 200):
            connection.sendall(b"".join(frames_of(stream) for stream in range(first, first + 200, 2)))
            last = frame(RST_STREAM, 0, first + 198, bytes(4))
            while last not in received and (piece := connection.recv(65536)):
                received += piece
    kinds = [received[at + 3] for at in frames(received)]
    assert kinds.count(HEADERS) == kinds.count(RST_STREAM) == 3000
    assert goaway_code(received) is None
    assert server.lives_on()
    assert server.peak_mib() < MEMORY_MIB


def request(stream, flags=0, more=b""):
    return frame(HEADERS, END_HEADERS | flags, stream, request_headers() + more)


def test_continuation_flood(server):
    """CVE-2024-27316: a header block without an end."""
    def flood():
        yield frame(HEADERS, 0, 1, request_headers())
        for _ in range(5000):
            yield frame(CONTINUATION, 0, 1, literal("x-filler", "y" * 100) * 100)
    with server.connect_h2() as connection:
        received = send_until_closed(connection, flood())
    assert received is not None
    assert server.reasons("closed the connection") == 1
    assert server.peak_mib() < MEMORY_MIB


@pytest.mark.parametrize("value", [b"b" * 3900, b"b" * 3899 + b" "])
def test_hpack_bomb(server, value):
    """One large entry of HPACK's table, and many references to it of a byte each; also with a blank, which is cut off."""
    entry = b"\x40\x01a\x7f" + bytes([0x80 | (3900 - 127) % 128, (3900 - 127) // 128]) + value
    with server.connect_h2() as connection:
        def blocks():
            for stream in range(1, 20001, 2):
                yield frame(HEADERS, END_HEADERS | END_STREAM, stream,
                            request_headers() + (entry if stream == 1 else b"") + b"\xbe" * 12000)
        received = send_until_closed(connection, blocks())
    assert received is not None
    assert server.reasons("closed the connection") == 1
    assert server.peak_mib() < MEMORY_MIB


def test_zero_window_stall(server):
    """The client takes no answers: streams without progress for stall-timeout are closed."""
    with server.connect_h2(struct.pack(">HI", 4, 0)) as connection:
        for stream in range(1, 101, 2):
            connection.sendall(frame(HEADERS, END_HEADERS, stream, request_headers("Unary")) + large_request(stream))
        read_all(connection)
    assert server.reasons("does not read its answer; stall-timeout") == 1
    assert server.peak_mib() < MEMORY_MIB


def test_slow_headers(server):
    with server.connect_h2() as connection:
        connection.sendall(frame(HEADERS, 0, 1, request_headers()))
        read_all(connection)
    assert server.reasons("header-timeout") == 1


def test_slow_body(server):
    with server.connect_h2() as connection:
        connection.sendall(frame(HEADERS, END_HEADERS, 1, request_headers()) + frame(DATA, 0, 1, b"\0\0\0\1"))
        read_all(connection)
    assert server.reasons("in the middle of a message; stall-timeout") == 1


def test_an_open_stream_between_messages_may_wait(server):
    with server.connect_h2() as connection:
        connection.sendall(frame(HEADERS, END_HEADERS, 1, request_headers()) + frame(DATA, 0, 1, envelope(b"")))
        time.sleep(TIMEOUT_MS / 1000 * 3)
        connection.sendall(frame(DATA, END_STREAM, 1))
        received = b""
        while b"grpc-status" not in received and (piece := connection.recv(65536)):
            received += piece
            if goaway_code(received) is not None:
                break
            if any(received[i + 3] == HEADERS for i in frames(received)):
                break
    assert goaway_code(received) is None
    assert server.lives_on()


def frames(received):
    offset = 0
    while offset + 9 <= len(received):
        yield offset
        offset += 9 + int.from_bytes(received[offset:offset + 3], "big")
