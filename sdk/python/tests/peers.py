# SPDX-License-Identifier: Apache-2.0
"""The two peers of a module: the Runner that starts and calls it, and the Backplane that it calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from xyz.block.ftl.v1 import ftl_pb2
from xyz.block.ftl.v1.schema import schema_pb2

SERVICE = "xyz.block.ftl.v1.VerbService"
START_S = 20
Metadata = Sequence[tuple[str, str]]


class Child:
    """A module's program, run and called as a Runner does."""

    def __init__(
        self,
        program: Path,
        bind: str,
        endpoint: str,
        module: str = "sample",
        streams_closed: Sequence[int] = (),
    ) -> None:
        self.module = module
        environment = {**os.environ, "FTL_BIND": bind, "FTL_ENDPOINT": endpoint, "FTL_MODULE": module}
        closed = "".join(f" {number}>&-" for number in streams_closed)
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@"{closed}', "sh", sys.executable, str(program)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = bind.removeprefix("http://")
        self.channel = grpc.insecure_channel(self.address, [("grpc.max_reconnect_backoff_ms", 100)])
        self.ping(timeout=START_S)

    def another_connection(self) -> Child:
        """To the same program; its process is the first one's to end."""
        other = copy(self)
        options = [("grpc.use_local_subchannel_pool", 1)]
        other.channel = grpc.insecure_channel(self.address, options)
        other.ping(timeout=START_S)
        return other

    def ping(self, timeout: float = 5) -> None:
        ping = self.rpc("Ping", ftl_pb2.PingRequest, ftl_pb2.PingResponse)
        ping(ftl_pb2.PingRequest(), timeout=timeout, wait_for_ready=True)

    def list(self) -> list[str]:
        answer = self.rpc("List", ftl_pb2.ListRequest, ftl_pb2.ListResponse)(ftl_pb2.ListRequest(), timeout=5)
        return [f"{verb.module}.{verb.name}" for verb in answer.verbs]

    def rpc(self, method: str, request: Any, response: Any) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        return self.channel.unary_unary(f"/{SERVICE}/{method}", request.SerializeToString, response.FromString)

    def begin(
        self,
        verb: str,
        body: object = None,
        metadata: Metadata = (),
        timeout: float | None = 10,
        module: str | None = None,
    ) -> Any:
        """Calls and does not wait. A `body` of bytes is sent as it is."""
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        ref = schema_pb2.VerbRef(module=self.module if module is None else module, name=verb)
        stub = self.rpc("Call", ftl_pb2.CallRequest, ftl_pb2.CallResponse)
        return stub.future(ftl_pb2.CallRequest(verb=ref, body=raw), metadata=tuple(metadata), timeout=timeout)

    def call(self, verb: str, body: object = None, **options: Any) -> Any:
        """The JSON of the answer."""
        answer = self.begin(verb, body, **options).result()
        assert answer.WhichOneof("response") == "body", answer
        return json.loads(answer.body)

    def failure(self, verb: str, body: object = None, **options: Any) -> str:
        """What a verb that fails says."""
        answer = self.begin(verb, body, **options).result()
        assert answer.WhichOneof("response") == "error", answer
        return str(answer.error.message)

    def refusal(self, verb: str, body: object = None, **options: Any) -> tuple[grpc.StatusCode, str]:
        """The status of a call that is not answered."""
        error = self.begin(verb, body, **options).exception()
        assert isinstance(error, grpc.RpcError)
        return error.code(), error.details() or ""

    def stop(self) -> tuple[str, str]:
        """Asks the program to end; what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> tuple[str, str]:
        out, err = self.process.communicate(timeout=10)
        self.channel.close()
        return out, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.channel.close()


@dataclass
class Incoming:
    """A call that reached the Backplane."""

    verb: str
    body: Any
    headers: list[tuple[str, str]]
    remaining: float
    ended: threading.Event


class Backplane:
    """Answers calls out by `answers`: a verb's name to a function of the call."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Incoming, grpc.ServicerContext], ftl_pb2.CallResponse]] = {}
        self.calls: list[Incoming] = []
        self.arrived = threading.Semaphore(0)
        self._server = grpc.server(ThreadPoolExecutor(8))
        handler = grpc.unary_unary_rpc_method_handler(
            self._call, ftl_pb2.CallRequest.FromString, ftl_pb2.CallResponse.SerializeToString
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Call": handler}),))
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _call(self, request: ftl_pb2.CallRequest, context: grpc.ServicerContext) -> ftl_pb2.CallResponse:
        verb = f"{request.verb.module}.{request.verb.name}"
        headers = [(key, str(value)) for key, value in context.invocation_metadata()]
        call = Incoming(verb, json.loads(request.body), headers, context.time_remaining(), threading.Event())
        context.add_callback(call.ended.set)
        self.calls.append(call)
        self.arrived.release()
        return self.answers[verb](call, context)

    def stop(self) -> None:
        self._server.stop(None).wait()


def answer_of(value: object) -> ftl_pb2.CallResponse:
    return ftl_pb2.CallResponse(body=json.dumps(value).encode())


def failure_of(message: str) -> ftl_pb2.CallResponse:
    return ftl_pb2.CallResponse(error=ftl_pb2.CallResponse.Error(message=message))
