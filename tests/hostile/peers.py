# SPDX-License-Identifier: Apache-2.0
"""A server under attack, and the bytes that attackers and ordinary clients send. Loopback only."""

import os
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time

BUILD = pathlib.Path(os.environ.get("BUILD", pathlib.Path(__file__).parents[2] / "build"))
SERVICE = "/connectrpc.conformance.v1.ConformanceService/"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
PRIORITY_UPDATE = 16
END_STREAM, END_HEADERS, ACK, PADDED = 1, 4, 1, 8
TIMEOUT_MS = 600
LONG = 60  # seconds; the most that any step takes on a busy machine


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header as HPACK's literal without indexing."""
    name, value = name.encode(), value.encode()
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(method="BidiStream", kind="application/grpc"):
    return (literal(":method", "POST") + literal(":scheme", "http") + literal(":authority", "a") +
            literal(":path", SERVICE + method) + literal("content-type", kind))


def envelope(message):
    return b"\0" + struct.pack(">I", len(message)) + message


class Server:
    def __init__(self, *arguments):
        program = BUILD / "tests/conformance/conformance-server"
        self.process = subprocess.Popen([program, "--bind", "http://127.0.0.1:0", "--timeouts", str(TIMEOUT_MS), *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def connect_h2(self, settings=b""):
        connection = self.connect()
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
        return connection

    def peak_mib(self):
        """The peak of resident memory. 0 under ThreadSanitizer, which takes most of it itself."""
        if b"__tsan_" in open(f"/proc/{self.process.pid}/exe", "rb").read():
            return 0
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the server is gone")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def reasons(self, text):
        """How often the log has this reason; waits for the first time."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline and not any(text in line for line in list(self.lines)):
            time.sleep(0.05)
        time.sleep(0.05)
        return sum(text in line for line in list(self.lines))

    def lives_on(self):
        """Whether it has closed no connection for a reason so far."""
        return self.answers() and not any("closed the connection" in line for line in list(self.lines))

    def answers(self):
        """Whether another client is answered."""
        with self.connect() as connection:
            body = b'{"requestData":"aGk="}'
            try:
                connection.sendall(b"POST %sUnary HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                   b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (SERVICE.encode(), len(body), body))
            except ConnectionError:
                return False
            answer = read_all(connection)
        return answer.startswith(b"HTTP/1.1 200") and b"requestInfo" in answer

    def stop(self):
        self.process.terminate()
        status = self.process.wait(LONG)
        self.reader.join(LONG)
        return status


def wait_for(condition):
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def read_all(connection, limit=1 << 24):
    """Reads until the server closes or resets the connection."""
    received = b""
    try:
        while len(received) < limit:
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    except ConnectionError:
        pass
    return received


def send_until_closed(connection, chunks, seconds=LONG):
    """Sends, and reads answers meanwhile, until the server closes. Returns what came, or None if it never closed."""
    received = bytearray()
    closed = threading.Event()

    def read():
        received.extend(read_all(connection))
        closed.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    end = time.monotonic() + seconds
    try:
        for chunk in chunks:
            if closed.is_set() or time.monotonic() > end:
                break
            connection.sendall(chunk)
    except OSError:
        closed.wait(seconds)
    return bytes(received) if closed.wait(max(0.0, end - time.monotonic())) else None


def goaway_code(received):
    """The error code of the last GOAWAY among frames; None: there is none."""
    code, offset = None, 0
    while offset + 9 <= len(received):
        length = int.from_bytes(received[offset:offset + 3], "big")
        if received[offset + 3] == GOAWAY:
            code = int.from_bytes(received[offset + 13:offset + 17], "big")
        offset += 9 + length
    return code


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
