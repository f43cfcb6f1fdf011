#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A deployment on grpcio, without an SDK of FTL. The name of a verb says how it behaves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path[:0] = json.loads(os.environ["TEST_PYTHON_PATH"])

import grpc
from xyz.block.ftl.v1 import ftl_pb2, ftl_pb2_grpc
from xyz.block.ftl.v1.schema import schema_pb2


class Verbs(ftl_pb2_grpc.VerbServiceServicer):
    def __init__(self):
        self.pings = 0

    def Ping(self, request, context):
        self.pings += 1
        return ftl_pb2.PingResponse(not_ready="warming up" if self.pings < 3 else "")

    def List(self, request, context):
        return ftl_pb2.ListResponse(verbs=[schema_pb2.VerbRef(module="child", name="echo")])

    def Call(self, request, context):
        return getattr(self, request.verb.name)(request, context)

    def echo(self, request, context):
        return ftl_pb2.CallResponse(body=request.body)

    def environment(self, request, context):
        told = {name: value for name, value in os.environ.items() if name.startswith("FTL_")}
        told["cwd"] = os.getcwd()
        told["files"] = sorted(os.listdir("."))
        told["pid"] = os.getpid()
        told["stdin"] = os.readlink("/proc/self/fd/0")
        return ftl_pb2.CallResponse(body=json.dumps(told).encode())

    def headers(self, request, context):
        return ftl_pb2.CallResponse(body=json.dumps([list(pair) for pair in context.invocation_metadata() if isinstance(pair[1], str)]).encode())

    def refuse(self, request, context):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, json.loads(request.body)["text"])

    def binary(self, request, context):
        context.send_initial_metadata([("answer-bin", b"\0\1\2")])
        return ftl_pb2.CallResponse(body=json.dumps([[name, value.hex()] for name, value in context.invocation_metadata()
                                                     if name.endswith("-bin")]).encode())

    def sleep(self, request, context):
        print("sleeping", flush=True)
        time.sleep(json.loads(request.body))
        return ftl_pb2.CallResponse(body=b'"slept"')

    def wait_for_the_end(self, request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        left = context.time_remaining()
        print(f"waiting, deadline {left is not None and left < 1e6}", flush=True)
        ended.wait(20)
        print("the caller has gone", flush=True)
        return ftl_pb2.CallResponse(body=b"{}")

    def die(self, request, context):
        print("about to die", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def leave_a_child_behind(self, request, context):
        # The forked child inherits the connection of this call, which so stays open.
        if os.fork() == 0:
            os.setsid()
            time.sleep(4)
            os._exit(0)
        os._exit(5)

    def orphan(self, request, context):
        # The shell exits at once, and the orphaned sleep 0.2 s later.
        subprocess.run(["sh", "-c", "sleep 0.2 &"], check=True)
        return ftl_pb2.CallResponse(body=b"{}")

    def leave(self, request, context):
        print("leaving", flush=True)
        os._exit(3)


server = grpc.server(ThreadPoolExecutor(8))
ftl_pb2_grpc.add_VerbServiceServicer_to_server(Verbs(), server)
bind = os.environ["FTL_BIND"]
server.add_insecure_port(bind if bind.startswith("unix:") else bind.removeprefix("http://"))
server.start()
print("plain line")
print('{"level":"warning","msg":"structured \\u00e9","time":"2026-01-02T03:04:05.678+01:00","size":3}', flush=True)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
server.stop(None)
