# SPDX-License-Identifier: Apache-2.0
"""The child process's side of FTL: VerbService on FTL_BIND, until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NoReturn

import grpc
from xyz.block.ftl.v1 import ftl_pb2
from xyz.block.ftl.v1.schema import schema_pb2

from ftl._check import read
from ftl._client import MESSAGE_MAX
from ftl._context import Call, answering
from ftl._errors import CallError, Error
from ftl._json import Mismatch, quoted, write_json
from ftl._log import LineWriter, install
from ftl._nearest import near
from ftl._verbs import Verb, all_verbs

SERVICE = "xyz.block.ftl.v1.VerbService"
# Calls that run at the same time; more wait for their turn.
THREADS = 32
# Calls that run or wait, for each connection; HTTP/2 itself holds back the rest.
STREAMS_MAX = 1000
# A status travels as an HTTP/2 header, and peers refuse large ones.
STATUS_MAX = 500
# What gRPC gives as the time that is left when there is no deadline is past any real one.
NO_DEADLINE_S = 10 * 365 * 86400
SERVER_OPTIONS = [
    ("grpc.so_reuseport", 0),  # else two programs could share a port in silence
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    # The Runner may ping as often as it likes.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 100),
    ("grpc.http2.max_ping_strikes", 0),
]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_logger = logging.getLogger("ftl")


class VerbService:
    def __init__(self, module: str, verbs: Mapping[str, Verb], out: LineWriter) -> None:
        self._module = module
        self._verbs = verbs
        self._out = out

    def ping(self, request: ftl_pb2.PingRequest, context: grpc.ServicerContext) -> ftl_pb2.PingResponse:
        return ftl_pb2.PingResponse()

    def list(self, request: ftl_pb2.ListRequest, context: grpc.ServicerContext) -> ftl_pb2.ListResponse:
        refs = (schema_pb2.VerbRef(module=self._module, name=name) for name in self._verbs)
        return ftl_pb2.ListResponse(verbs=refs)

    def call(self, request: ftl_pb2.CallRequest, context: grpc.ServicerContext) -> ftl_pb2.CallResponse:
        verb = self._find(request.verb, context)
        call = Call(f"{self._module}.{verb.name}", context.invocation_metadata(), remaining(context))
        if not context.add_callback(call.end):
            refuse(context, grpc.StatusCode.CANCELLED, "the caller has gone")
        with answering(call):
            try:
                return answer(self._module, verb, request.body)
            except Mismatch as mismatch:
                refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(mismatch))
            finally:
                self._out.end_line()

    def _find(self, ref: schema_pb2.VerbRef, context: grpc.ServicerContext) -> Verb:
        for field in ("module", "name"):
            if not getattr(ref, field):
                refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"verb.{field} is missing")
        if ref.module != self._module:
            refuse(context, grpc.StatusCode.NOT_FOUND, f"no module {quoted(ref.module)} here: this is {self._module}")
        verb = self._verbs.get(ref.name)
        if verb is None:
            problem = f"module {self._module} has no verb {quoted(ref.name)}; {near(ref.name, self._verbs)}"
            refuse(context, grpc.StatusCode.NOT_FOUND, problem)
        return verb


def answer(module: str, verb: Verb, body: bytes) -> ftl_pb2.CallResponse:
    """Runs the verb; Mismatch: the body is no request of it."""
    try:
        request = read(verb.request, body, module, "request")
    except Mismatch:
        raise
    except BaseException as error:  # from a __post_init__
        return crashed(error)
    try:
        result = verb.run(request)
        return ftl_pb2.CallResponse(body=write_json(verb.response.encode(result)))
    except CallError as error:
        _logger.warning("failed, as %s", error)
        return failed(error.message)
    except Mismatch as mismatch:
        problem = f"the verb returned what is not its response: {mismatch.within('response')}"
        _logger.error("%s", problem)
        return failed(problem)
    except BaseException as error:
        return crashed(error)


def crashed(error: BaseException) -> ftl_pb2.CallResponse:
    """Whatever comes out of a verb is an answer, be it a call of sys.exit(): the module goes on."""
    problem = f"{type(error).__name__}: {error}".removesuffix(": ")
    frames = error.__traceback__.tb_next if error.__traceback__ else None  # without our own
    _logger.error("%s", problem, exc_info=(type(error), error, frames))
    return failed(problem)


def failed(message: str) -> ftl_pb2.CallResponse:
    return ftl_pb2.CallResponse(error=ftl_pb2.CallResponse.Error(message=message))


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, problem: str) -> NoReturn:
    context.abort(code, problem if len(problem) <= STATUS_MAX else problem[:STATUS_MAX] + "…")


def remaining(context: grpc.ServicerContext) -> float | None:
    left = context.time_remaining()
    return None if left is None or left > NO_DEADLINE_S else left


def make_server(service: VerbService) -> grpc.Server:
    # Ping and List have a thread of their own: a module that is busy is alive.
    control = ThreadPoolExecutor(1, "ftl-control")
    calls = ThreadPoolExecutor(THREADS, "ftl-call")

    def handler(function: Any, request: Any, response: Any, pool: ThreadPoolExecutor) -> Any:
        def behaviour(message: Any, context: grpc.ServicerContext) -> Any:
            return function(message, context)

        behaviour.experimental_thread_pool = pool  # type: ignore[attr-defined]
        return grpc.unary_unary_rpc_method_handler(behaviour, request.FromString, response.SerializeToString)

    handlers = {
        "Ping": handler(service.ping, ftl_pb2.PingRequest, ftl_pb2.PingResponse, control),
        "List": handler(service.list, ftl_pb2.ListRequest, ftl_pb2.ListResponse, control),
        "Call": handler(service.call, ftl_pb2.CallRequest, ftl_pb2.CallResponse, calls),
    }
    server = grpc.server(calls, options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    return server


def bind_address() -> str:
    bind = os.environ.get("FTL_BIND", "")
    if bind.startswith("unix:") and len(bind) > len("unix:"):
        return bind
    scheme, _, address = bind.partition("://")
    if scheme == "http" and address:
        return address.rstrip("/")
    if not bind:
        raise Error(
            "FTL_BIND is not set: FTL starts this program and tells it there where to serve.\n"
            "Run `ftl deploy` in the module's folder; to serve by hand, FTL_BIND=http://127.0.0.1:9000"
        )
    raise Error(f'FTL_BIND is "{bind}": it has the form http://127.0.0.1:PORT or unix:PATH')


def listen(server: grpc.Server, address: str) -> None:
    try:
        if server.add_insecure_port(address) != 0:
            return
    except RuntimeError:
        pass
    raise Error(f"cannot serve on {address}, which FTL_BIND names: it may be in use; `ss -ltnp` shows by whom")


def run() -> None:
    """See ftl.main."""
    try:
        address = bind_address()
        verbs = all_verbs()
        module = os.environ.get("FTL_MODULE") or os.path.splitext(os.path.basename(sys.argv[0]))[0]
        server = make_server(VerbService(module, verbs, install()))
        listen(server, address)
    except Error as error:
        sys.exit(f"ftl: {error}")
    # Not an Event: a signal handler may interrupt a wait for one where its lock is held.
    asked = SimpleQueue[int]()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, frame: asked.put(number))
    server.start()
    asked.get()
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # asked twice, it ends at once
    # However long the calls in progress take: the Runner knows how long is too long.
    server.stop(threading.TIMEOUT_MAX).wait()
