#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A deployment that speaks HTTP/2 by hand, with a server's habits when a handler panics: it breaks off the stream, and lives on.

The body of a call says how: "reset N" by an RST_STREAM with that code, "end" by a response that ends without a status."""

import os
import re
import socket
import struct
import threading

DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, END_HEADERS, ACK = 1, 4, 1
OK = b"\x88" + b"\x0f\x10\x10application/grpc"  # :status 200, content-type
STATUS_0 = b"\x00\x0bgrpc-status\x010"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def exactly(connection, count):
    read = b""
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            raise EOFError
        read += more
    return read


def answer(connection, stream, body):
    broken = re.search(rb"reset (\d+)", body)
    if broken:
        connection.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", int(broken.group(1)))))
    elif b"end" in body:
        connection.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, OK))
    else:  # Ping, or a call that succeeds with an empty message
        message = frame(DATA, 0, stream, b"\0" * 5)
        connection.sendall(frame(HEADERS, END_HEADERS, stream, OK) + message)
        connection.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_0))


def serve(connection):
    exactly(connection, 24)
    connection.sendall(frame(SETTINGS, 0, 0))
    bodies = {}
    while True:
        head = exactly(connection, 9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
        payload = exactly(connection, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            connection.sendall(frame(PING, ACK, 0, payload))
        elif kind == DATA:
            bodies[stream] = bodies.get(stream, b"") + payload
            if flags & END_STREAM:
                answer(connection, stream, bodies.pop(stream))


def serve_until_it_ends(connection):
    try:
        serve(connection)
    except (EOFError, OSError):
        connection.close()


host, port = os.environ["FTL_BIND"].removeprefix("http://").split(":")
listener = socket.create_server((host, int(port)))
while True:
    threading.Thread(target=serve_until_it_ends, args=(listener.accept()[0],), daemon=True).start()
