#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client and a child that behave on the wire as grpc-go does, frame by frame: each DATA frame that comes is answered by
a PING beside it, which measures the bandwidth, and by WINDOW_UPDATEs. A real grpc-go sends the next PING when the one
before is acknowledged, which on one machine is before the next DATA frame; this one always sends it.

As a program it is the entry of a deployment. The body of a call says what it answers: "wait" nothing, "late" after 2 s,
"reset at N" resets the call after N/10 ms, "refuse TEXT;" answers InvalidArgument with that text, as it is in the header,
"refuse N;" with N times "x"."""

import os
import re
import signal
import socket
import struct
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = struct.pack(">I", 8)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header as HPACK's literal without indexing."""
    length, more = bytes([min(len(value), 127)]), len(value) - 127
    if more >= 0:
        length += bytes([more & 127 | 128, more >> 7 & 127 | 128, more >> 14])
    return b"\0" + bytes([len(name)]) + name + length + value


def envelope(message):
    return b"\0" + struct.pack(">I", len(message)) + message


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


ANSWER = envelope(field(1, b"{}"))


class Frames:
    """A connection, by frames."""

    def __init__(self, connection):
        self.connection = connection
        self.lock = threading.Lock()
        self.pings = 0

    def send(self, *frames):
        with self.lock:
            self.connection.sendall(b"".join(frames))

    def send_headers(self, stream, block):
        """The last frames of a stream."""
        pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
        frames = [frame(HEADERS if at == 0 else CONTINUATION, END_STREAM if at == 0 else 0, stream, piece)
                  for at, piece in enumerate(pieces)]
        last = bytearray(frames[-1])
        last[4] |= END_HEADERS
        self.send(*frames[:-1], bytes(last))

    def close(self):
        """Ends `received` in another thread too."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def received(self):
        """(kind, flags, stream, payload) of each frame that comes; acknowledges, and answers DATA as grpc-go does."""
        waiting = b""
        while piece := self.read():
            waiting += piece
            at, answers, found = 0, [], []
            while at + 9 <= len(waiting):
                end = at + 9 + int.from_bytes(waiting[at:at + 3], "big")
                if end > len(waiting):
                    break
                kind, flags, stream = waiting[at + 3], waiting[at + 4], int.from_bytes(waiting[at + 5:at + 9], "big")
                payload = waiting[at + 9:end]
                answers += self.answers(kind, flags, stream, len(payload))
                found.append((kind, flags, stream, payload))
                at = end
            waiting = waiting[at:]
            if answers:
                self.send(*answers)
            yield from found

    def read(self):
        try:
            return self.connection.recv(1 << 18)
        except OSError:
            return b""

    def answers(self, kind, flags, stream, size):
        if kind == DATA and size > 0:
            self.pings += 1
            window = struct.pack(">I", size)
            return [frame(WINDOW_UPDATE, 0, 0, window), frame(PING, 0, 0, bytes([2, 4, 16, 16, 9, 14, 7, 7])),
                    frame(WINDOW_UPDATE, 0, stream, window) if not flags & END_STREAM else b""]
        if kind == SETTINGS and not flags & ACK:
            return [frame(SETTINGS, ACK, 0)]
        return [frame(PING, ACK, 0, b"\0" * 8)] if kind == PING and not flags & ACK else []


# --- a client


def open_client(target):
    connection = socket.create_connection(target.rsplit(":", 1), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = Frames(connection)
    client.send(PREFACE, frame(SETTINGS, 0, 0))
    return client


def call(stream, module, verb, body=b"{}", timeout=b"30S"):
    headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"),
               (b":path", b"/xyz.block.ftl.v1.VerbService/Call"), (b"content-type", b"application/grpc"),
               (b"grpc-timeout", timeout)]
    message = field(2, field(2, verb) + field(3, module)) + field(3, body)
    return (frame(HEADERS, END_HEADERS, stream, b"".join(literal(*header) for header in headers)) +
            frame(DATA, END_STREAM, stream, envelope(message)))


def call_many(target, module, verb, count, at_a_time=100):
    """Makes calls on one connection, as quickly as they are answered. Returns how many were, with a message."""
    client, answered, sent = open_client(target), 0, at_a_time
    client.send(*(call(2 * i + 1, module, verb) for i in range(at_a_time)))
    for kind, flags, _, payload in client.received():
        if kind == GOAWAY:
            break
        answered += kind == DATA and payload.endswith(ANSWER)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            if sent < count:
                client.send(call(2 * sent + 1, module, verb))
            sent += 1
            if sent == count + at_a_time:
                break
    client.close()
    return answered


# --- a child


def answer(peer, stream, message):
    """Ping's message is empty."""
    if b"wait" in message:
        return
    if b"reset" in message:
        time.sleep(int(re.search(rb"reset at (\d+)", message).group(1)) / 10000)
        peer.send(frame(RST_STREAM, 0, stream, CANCEL))
        return
    if refused := re.search(rb"refuse ([^;]*);", message):
        text = b"x" * int(refused[1]) if refused[1].isdigit() else refused[1]
        headers = literal(b"content-type", b"application/grpc") + literal(b"grpc-status", b"3") + literal(b"grpc-message", text)
        peer.send_headers(stream, b"\x88" + headers)
        return
    if b"late" in message:
        time.sleep(2)
    peer.send(frame(HEADERS, END_HEADERS, stream, b"\x88" + literal(b"content-type", b"application/grpc")),
              frame(DATA, 0, stream, ANSWER if len(message) > 5 else envelope(b"")),
              frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(b"grpc-status", b"0")))


def serve_connection(connection):
    peer, messages = Frames(connection), {}
    connection.recv(len(PREFACE), socket.MSG_WAITALL)
    peer.send(frame(SETTINGS, 0, 0))
    for kind, flags, stream, payload in peer.received():
        if kind == RST_STREAM:
            messages.pop(stream, None)
        if kind != DATA:
            continue
        messages[stream] = messages.get(stream, b"") + payload
        if flags & END_STREAM:
            message = messages.pop(stream)
            if b"late" in message or b"reset" in message:
                threading.Thread(target=answer, args=(peer, stream, message), daemon=True).start()
            else:
                answer(peer, stream, message)


def serve(bind):
    host, port = bind.removeprefix("http://").rsplit(":", 1)
    listener = socket.create_server((host, int(port)))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_connection, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    serve(os.environ["FTL_BIND"])
