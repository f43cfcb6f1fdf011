# SPDX-License-Identifier: Apache-2.0
"""Load: calls of a verb, by h2load in a closed loop or by bench-openloop at a fixed rate; requests over NATS, by bench-nats
both ways."""

import json
import re
import subprocess

from processes import Failed, pinned

PATH = "/xyz.block.ftl.v1.VerbService/Call"


def varint(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def call_request(verb, size):
    """A CallRequest whose body is JSON of size bytes."""
    module, name = verb.split(".")
    body = b'{"text":"' + b"x" * (size - 11) + b'"}'
    return field(2, field(2, name.encode()) + field(3, module.encode())) + field(3, body)


class Call:
    """A request in two files: with gRPC's prefix for h2load, and without."""

    def __init__(self, folder, verb, size=1024):
        message = call_request(verb, size)
        self.message = folder / f"{verb}-{size}.call"
        self.framed = folder / f"{verb}-{size}.grpc"
        self.size = size
        self.message.write_bytes(message)
        self.framed.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)


def h2load(port, call, count, connections=16, streams=1, which="load", tls=False, window=None):
    """Makes count calls and returns the calls a second. Each response must have status 200."""
    command = ["h2load", "-n", count, "-c", connections, "-m", streams, "-d", call.framed]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    if window:
        command += ["-w", window, "-W", window]
    command += [f"{'https' if tls else 'http'}://127.0.0.1:{port}{PATH}"]
    done = subprocess.run(pinned(command, which), capture_output=True, text=True, timeout=600)
    text = done.stdout + done.stderr
    good = re.search(r"status codes: (\d+) 2xx", text)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", text)
    if not good or not rate or int(good.group(1)) != count:
        raise Failed(f"h2load on port {port}: not all calls were answered:\n{text[-1500:]}")
    # A proxy may answer an error with status 200 and no body.
    received = int(re.search(r"(\d+)\) data", text).group(1))
    if received < count * call.size * 0.9:
        raise Failed(f"h2load on port {port}: the answers are too short to be echoes:\n{text[-1500:]}")
    return float(rate.group(1))


def open_loop(programs, port, call, rate, seconds=5, connections=16, which="load"):
    """Latency in microseconds by percentile."""
    command = [programs / "bench-openloop", "--to", f"http://127.0.0.1:{port}", "--call-file", call.message]
    command += ["--rate", rate, "--seconds", seconds, "--connections", connections]
    done = subprocess.run(pinned(command, which), capture_output=True, text=True, timeout=seconds * 4 + 60)
    if done.returncode != 0:
        raise Failed(f"bench-openloop on port {port}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def nats(programs, port, *how, which="load"):
    """The output of bench-nats for requests of 1 KiB."""
    command = [programs / "bench-nats", "--to", f"nats://127.0.0.1:{port}", "--request", "bench.echo", *how]
    done = subprocess.run(pinned(command, which), capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise Failed(f"bench-nats on port {port}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def nats_closed_loop(programs, port, count, connections=16, streams=1):
    """Requests a second."""
    return nats(programs, port, "--count", count, "--connections", connections, "--outstanding", streams)["per_second"]


def nats_open_loop(programs, port, rate, seconds=5, connections=16):
    """Latency in microseconds by percentile."""
    return nats(programs, port, "--rate", rate, "--seconds", seconds, "--connections", connections)
