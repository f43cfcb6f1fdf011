# SPDX-License-Identifier: Apache-2.0
"""Modules and clients on other HTTP/2 stacks at thousands of calls a second: none of their habits is taken for an attack."""

import base64
import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_go
import pytest
from harness import HERE, module, wait_for

GRPC_GO = (HERE / "grpc_go.py").read_bytes().replace(b"#!/usr/bin/env python3", f"#!{sys.executable}".encode(), 1)
CALLS = 6000


@pytest.fixture
def with_child(make_backplane):
    """Starts a Backplane with a module on a stack that behaves as grpc-go does."""

    def start(*options):
        backplane = make_backplane("--warm", "0", *options).start()
        key = backplane.deploy(module("gomod", entry="main", verbs=("echo",)), {"main": GRPC_GO})
        backplane.wait_live(key)
        return backplane

    return start


def was_cut(backplane):
    return "closed the connection" in backplane.log() or "frames that carry nothing" in backplane.log()


def test_a_module_and_a_client_that_ping_beside_each_data_frame(with_child):
    backplane = with_child()
    assert grpc_go.call_many(backplane.target, b"gomod", b"echo", CALLS) == CALLS
    assert not was_cut(backplane)


def test_a_module_that_pings_and_a_client_on_c_core(with_child):
    backplane = with_child()
    futures = [backplane.call_future("gomod.echo") for _ in range(CALLS // 4)]
    assert all(future.result().body == b"{}" for future in futures)
    assert not was_cut(backplane)


class Caller(threading.Thread):
    """Calls that never are answered, each with a deadline of 20 ms at which it is reset, 200 at a time."""

    def __init__(self, backplane, timeout=b"20m"):
        super().__init__()
        self.client = grpc_go.open_client(backplane.target)
        self.timeout = timeout
        self.over = self.cut = False
        self.late_ended = threading.Event()
        self.late = b""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for kind, flags, stream, payload in self.client.received():
            self.cut |= kind == grpc_go.GOAWAY
            self.late += payload if kind == grpc_go.DATA and stream == 1 else b""
            if stream == 1 and flags & grpc_go.END_STREAM:
                self.late_ended.set()
        self.late_ended.set()

    def run(self):
        self.client.send(grpc_go.call(1, b"gomod", b"echo", b'"late"'))
        end, first = time.monotonic() + 1.5, 3
        while time.monotonic() < end and not self.cut:
            streams = range(first, first + 400, 2)
            self.client.send(*(grpc_go.call(stream, b"gomod", b"echo", b'"wait"', self.timeout) for stream in streams))
            time.sleep(0.02)
            self.client.send(*(grpc_go.frame(grpc_go.RST_STREAM, 0, stream, grpc_go.CANCEL) for stream in streams))
            first += 400
        self.late_ended.wait(10)
        self.client.close()
        self.reader.join()


def test_deadlines_that_pass_are_no_rapid_resets(with_child):
    """Another call of the same connection, which takes 2 s, is answered meanwhile."""
    backplane = with_child()
    caller = Caller(backplane)
    caller.start()
    caller.join()
    assert caller.late == grpc_go.ANSWER
    assert not caller.cut and not was_cut(backplane)
    assert "lost during the call" not in backplane.log()


def test_a_reset_at_the_deadline_is_no_loss(with_child):
    """A server on grpc-go resets a call whose deadline passes there, which may be a moment earlier than here."""
    backplane = with_child()

    def ask(at):
        connection = http.client.HTTPConnection(backplane.target, timeout=30)
        body = base64.b64encode(b'{"text":"reset at %d"}' % at).decode()
        connection.request("POST", "/xyz.block.ftl.v1.VerbService/Call",
                           json.dumps({"verb": {"module": "gomod", "name": "echo"}, "body": body}),
                           {"Content-Type": "application/json", "Connect-Timeout-Ms": "100"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer["code"], answer["message"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, list(range(980, 996)) * 10))
    lost = {answer for answer in answers if answer[0] != "deadline_exceeded"}
    assert {code for code, _ in answers} <= {"deadline_exceeded", "unavailable"}
    assert not any("deadline" in text for _, text in lost), lost


@pytest.mark.parametrize(("limit", "is_cut"), [("100", True), ("none", False)])
def test_the_limit_of_resets_is_an_option(with_child, limit, is_cut):
    """Resets before the deadline are those that the limit is for."""
    backplane = with_child("--max-resets", limit)
    caller = Caller(backplane, timeout=b"30S")
    caller.start()
    caller.join()
    assert caller.cut == is_cut
    if is_cut:
        wait_for(lambda: "max-resets is 100" in backplane.log(), "the log")


def test_the_limit_of_control_frames_is_an_option(make_backplane):
    backplane = make_backplane("--warm", "0", "--max-control-frames", "50").start()
    client = grpc_go.open_client(backplane.target)
    client.send(*[grpc_go.frame(grpc_go.PING, 0, 0, bytes(8))] * 200)
    assert any(kind == grpc_go.GOAWAY for kind, _, _, _ in client.received())
    client.close()
    wait_for(lambda: "max-control-frames is 50" in backplane.log(), "the log")
    with grpc.insecure_channel(backplane.target) as channel:
        grpc.channel_ready_future(channel).result(10)
