# SPDX-License-Identifier: Apache-2.0
"""The options of `ftl serve` and `ftl runner` that limit what clients may do at their port."""

import http.client
import json
import os
import socket
import struct
import subprocess

import pytest
from harness import FTL, HERE, LONG, wait_for

EXAMPLES = HERE.parents[1] / "examples"
PING = b"POST /xyz.block.ftl.v1.VerbService/Ping HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 3, 6


class Port:
    def __init__(self, command, folder, *options):
        self.path = folder / "socket"
        self.log_path = folder / "log"
        own = {"serve": ["--data", folder / "data", "--threads", "1", "--warm", "0"],
               "runner": ["--language", "c", "--endpoint", "http://127.0.0.1:1"]}
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                [FTL, command, "--bind", f"unix:{self.path}", "--log-level", "debug", *own[command], *options], stderr=log)
        wait_for(lambda: self.answers() or self.process.poll() is not None, "the port")
        assert self.process.poll() is None, self.log_path.read_text()

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LONG)
        connection.connect(str(self.path))
        return connection

    def answers(self):
        try:
            return self.ask(b"Connection: close\r\n").startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def ask(self, headers=b"", body=b"{}"):
        with self.connect() as connection:
            connection.sendall(PING + headers + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            return read_all(connection)

    def says(self, text):
        wait_for(lambda: text in self.log_path.read_text(), text)


def read_all(connection):
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


@pytest.fixture(params=["serve", "runner"])
def make_port(request, tmp_path):
    ports = []

    def make(*options):
        ports.append(Port(request.param, tmp_path, *options))
        return ports[-1]

    yield make
    for port in ports:
        port.process.terminate()
        assert port.process.wait(LONG) == 0, port.log_path.read_text()


def settings_of(connection):
    """The settings in the first frame of the server."""
    connection.sendall(PREFACE)
    received = b""
    while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
        received += connection.recv(65536)
    return dict(struct.iter_unpack(">HI", received[9:9 + int.from_bytes(received[:3], "big")]))


def test_sizes_and_counts(make_port):
    port = make_port("--max-header-bytes", "5KiB", "--max-streams", "7", "--max-message", "100", "--max-connections", "3")
    with port.connect() as connection:
        settings = settings_of(connection)
        assert (settings[MAX_CONCURRENT_STREAMS], settings[MAX_HEADER_LIST_SIZE]) == (7, 5120)
        with port.connect() as second, port.connect() as third, port.connect() as fourth:
            assert read_all(fourth) == b""
            port.says("there are 3, and max-connections is 3")
            second.close()
            third.close()
    wait_for(port.answers, "room for another connection")
    assert b"max-header-bytes is 5120" in port.ask(b"X: " + b"y" * 6000 + b"\r\n")
    answer = port.ask(b"Connection: close\r\n", json.dumps({"x": "y" * 200}).encode())
    assert answer.startswith(b"HTTP/1.1 429") and b"100 bytes, which is max-message" in answer


@pytest.mark.parametrize("limit", [16, 32])
def test_accepted_headers_reach_the_verb(make_backplane, limit):
    """The Runner and the module accept every header that the Backplane accepts, with the headers that it adds."""
    backplane = make_backplane("--warm", "0", "--max-header-bytes", f"{limit}KiB").start()
    subprocess.run([FTL, "deploy", EXAMPLES / "time"], env={**os.environ, "FTL_ENDPOINT": backplane.endpoint}, check=True)
    call = {"verb": {"module": "time", "name": "time"}, "body": "e30="}
    for size in limit * 1024 - 1000, limit * 1024 - 600, limit * 1024 - 450:
        headers = {"Content-Type": "application/json", "X-Large": "y" * size}
        connection = http.client.HTTPConnection(backplane.target, timeout=LONG)
        connection.request("POST", "/xyz.block.ftl.v1.VerbService/Call", json.dumps(call), headers)
        response = connection.getresponse()
        assert (response.status, "body" in json.loads(response.read())) == (200, True)
        connection.close()


def test_max_held(make_port):
    port = make_port("--max-held", "1MiB")
    connections = [port.connect() for _ in range(3)]
    for connection in connections:
        connection.sendall(PING + b"Content-Length: 3000000\r\n\r\n" + b'{"x":"' + b"y" * 1000000)
    answer = connections[-1].recv(65536)
    assert answer.startswith(b"HTTP/1.1 429") and b"max-held is 1048576" in answer
    for connection in connections:
        connection.close()


def test_timeouts(make_port):
    port = make_port("--header-timeout", "200ms", "--stall-timeout", "300ms", "--idle-timeout", "400ms")
    for sent, reason in (b"PO", "header-timeout is 200 ms"), (PING + b"Content-Length: 2\r\n\r\n{", "stall-timeout is 300 ms"):
        with port.connect() as connection:
            connection.sendall(sent)
            read_all(connection)
        port.says(reason)
    with port.connect() as connection:
        connection.sendall(PING + b"Content-Length: 2\r\n\r\n{}")
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    port.says("which had no request; idle-timeout is 400 ms")


@pytest.mark.parametrize("command", ["serve", "runner"])
@pytest.mark.parametrize(("option", "value", "says"), [
    ("--max-message", "65MiB", "68157440 bytes; it must be from 1 byte to 64MiB"),
    ("--max-held", "1KiB", "1024 bytes; it must be at least 1MiB"),
    ("--max-header-bytes", "1KiB", "1024; it must be from 4KiB to "),
    ("--max-header-bytes", "49KiB", "50176; it must be from 4KiB to "),
    ("--max-streams", "0", "0; it must be at least 1"),
    ("--max-connections", "0", "0; it must be at least 1"),
    ("--max-resets", "0", '"0"; it must be a number from 1 to 4294967294, or none'),
    ("--max-control-frames", "many", '"many"; it must be a number from 1 to 4294967294, or none'),
    ("--header-timeout", "0s", "0 ms; it must be from 1ms to 24h"),
    ("--stall-timeout", "0s", "0 ms; it must be from 1ms to 24h"),
    ("--idle-timeout", "25h", "90000000 ms; it must be from 1ms to 24h"),
])
def test_values_out_of_range(command, option, value, says, tmp_path):
    own = ["--data", tmp_path / "data"] if command == "serve" else ["--language", "c"]
    result = subprocess.run([FTL, command, *own, option, value], capture_output=True, text=True, timeout=LONG, check=False)
    assert result.returncode == 2
    assert f"{option} is {says}" in result.stderr
