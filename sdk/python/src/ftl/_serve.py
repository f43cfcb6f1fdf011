# SPDX-License-Identifier: Apache-2.0
"""The server of a module: VerbService on FTL_BIND, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from xyz.block.ftl.v1 import ftl_pb2
from xyz.block.ftl.v1.schema import schema_pb2

from ftl._client import MESSAGE_MAX
from ftl._context import LOOP_THREAD, Call, answering
from ftl._errors import CallError, Error
from ftl._json import Mismatch, quoted, write_json
from ftl._log import LineWriter, install
from ftl._nearest import near
from ftl._types import read
from ftl._verbs import Verb, all_verbs

SERVICE = "xyz.block.ftl.v1.VerbService"
THREADS_MAX = 1000
# Limit of calls that wait for a thread; further calls are refused.
WAITING_MAX = 1000
# Limit of calls on one connection that run or wait; HTTP/2 holds back further calls at the client.
STREAMS_MAX = 1000
# Bytes of headers: a Runner's limit of 48 KiB, and what HTTP/2 adds for each header when it counts.
HEADERS_MAX = 64 << 10
# Bytes of a status text in UTF-8: it is sent as an HTTP/2 header, with up to three characters for each of them, and
# peers refuse large headers. A longer text ends in "…".
STATUS_MAX = 4096
# Without a deadline gRPC returns a remaining time longer than this.
NO_DEADLINE_S = 10 * 365 * 86400
SERVER_OPTIONS = [
    ("grpc.so_reuseport", 0),  # so that two programs cannot share a port unnoticed
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    # Equal, as gRPC refuses metadata between the two limits at random.
    ("grpc.max_metadata_size", HEADERS_MAX),
    ("grpc.absolute_max_metadata_size", HEADERS_MAX),
    # Accepts pings of the Runner at any rate.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 100),
    ("grpc.http2.max_ping_strikes", 0),
]

# Frames of these files are left out of logged tracebacks: the author of the verb does not need them.
OWN_FOLDER = os.path.dirname(__file__)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_logger = logging.getLogger("ftl")


class CallPool(ThreadPoolExecutor):
    """Runs each call on a thread. Past WAITING_MAX waiting calls, further calls are refused on `refusing`."""

    def __init__(self, threads: int, refusing: ThreadPoolExecutor) -> None:
        super().__init__(threads, "ftl-call")
        self.threads = threads
        self._refusing = refusing
        self._lock = threading.Lock()
        self._waiting = 0
        self._local = threading.local()

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        with self._lock:
            full = self._waiting >= WAITING_MAX
            self._waiting += not full
        if full:
            return self._refusing.submit(self._too_many, function, args, options)
        return super().submit(self._begin, function, args, options)

    @property
    def is_full(self) -> bool:
        """Whether the call on this thread is to be refused."""
        return getattr(self._local, "too_many", False)

    def _begin(self, function: Callable[..., Any], args: Any, options: Any) -> Any:
        with self._lock:
            self._waiting -= 1
        return function(*args, **options)

    def _too_many(self, function: Callable[..., Any], args: Any, options: Any) -> Any:
        self._local.too_many = True
        try:
            return function(*args, **options)
        finally:
            self._local.too_many = False


class Tasks:
    """The event loop of async verbs, on a thread of its own. The thread of each call waits for its task."""

    def __init__(self, threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        # The executor of asyncio.to_thread, in which async verbs call other verbs.
        self._loop.set_default_executor(ThreadPoolExecutor(threads, "ftl-async"))
        threading.Thread(target=self._loop.run_forever, name=LOOP_THREAD, daemon=True).start()

    def run(self, call: Call, coroutine: Coroutine[Any, Any, object]) -> object:
        task = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        with call.calling_out(task.cancel):
            return task.result()


class VerbService:
    def __init__(self, module: str, verbs: Mapping[str, Verb], out: LineWriter, calls: CallPool) -> None:
        self._module = module
        self._verbs = verbs
        self._out = out
        self._calls = calls
        self._tasks = Tasks(calls.threads) if any(verb.is_async for verb in verbs.values()) else None

    def ping(self, request: ftl_pb2.PingRequest, context: grpc.ServicerContext) -> ftl_pb2.PingResponse:
        return ftl_pb2.PingResponse()

    def list(self, request: ftl_pb2.ListRequest, context: grpc.ServicerContext) -> ftl_pb2.ListResponse:
        refs = (schema_pb2.VerbRef(module=self._module, name=name) for name in self._verbs)
        return ftl_pb2.ListResponse(verbs=refs)

    def call(self, request: ftl_pb2.CallRequest, context: grpc.ServicerContext) -> ftl_pb2.CallResponse:
        if self._calls.is_full:
            problem = f"{self._module} runs {self._calls.threads} calls, and {WAITING_MAX} more wait: try again later"
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, problem)
        verb = self._find(request.verb, context)
        call = Call(f"{self._module}.{verb.name}", context.invocation_metadata(), remaining(context))
        if not context.add_callback(call.end):
            refuse(context, grpc.StatusCode.CANCELLED, "the caller has gone")
        with answering(call):
            try:
                return self._answer(call, verb, request.body)
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

    def _answer(self, call: Call, verb: Verb, body: bytes) -> ftl_pb2.CallResponse:
        """Runs the verb. Raises Mismatch when the body does not fit the type of the request."""
        try:
            request = read(verb.request, body, "request")
        except Mismatch:
            raise
        except BaseException as error:  # from a __post_init__
            return crashed(error)
        try:
            result: Any = verb.run(request)
            if verb.is_async and self._tasks is not None:
                result = self._tasks.run(call, result)
        except CallError as error:
            _logger.warning("failed, as %s", error)
            return failed(error.message)
        except CancelledError as error:
            return failed("cancelled") if call.cancelled else crashed(error)
        except BaseException as error:
            return crashed(error)
        try:
            return ftl_pb2.CallResponse(body=write_json(verb.response.encode(result)))
        except Mismatch as mismatch:
            problem = f"the verb returned what is not its response: {mismatch.within('response')}"
            _logger.error("%s", problem)
            return failed(problem)
        except BaseException as error:  # from a __getattr__, or nested too deeply
            return crashed(error)


def crashed(error: BaseException) -> ftl_pb2.CallResponse:
    """Answers with any exception of a verb, even that of sys.exit(): the module continues to serve."""
    problem = f"{type(error).__name__}: {error}".removesuffix(": ")
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(OWN_FOLDER):
        frames = frames.tb_next
    _logger.error("%s", problem, exc_info=(type(error), error, frames))
    return failed(problem)


def failed(message: str) -> ftl_pb2.CallResponse:
    return ftl_pb2.CallResponse(error=ftl_pb2.CallResponse.Error(message=message))


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, problem: str) -> NoReturn:
    context.abort(code, shortened(problem))


def shortened(text: str) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= STATUS_MAX:
        return encoded.decode()
    return encoded[: STATUS_MAX - len("…".encode())].decode(errors="ignore") + "…"


def remaining(context: grpc.ServicerContext) -> float | None:
    left = context.time_remaining()
    return None if left is None or left > NO_DEADLINE_S else left


def make_server(service: VerbService, calls: CallPool, control: ThreadPoolExecutor) -> grpc.Server:
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


def watch_signals() -> int:
    """
    Returns a pipe into which each signal is written when it arrives. A handler in Python would run late or never: the
    main thread may be waiting for a lock.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, frame: None)
    return reader


def run(threads: int) -> None:
    """See ftl.main."""
    try:
        if not 1 <= threads <= THREADS_MAX:
            raise Error(f"ftl.main(threads={threads}): there may be 1 to {THREADS_MAX}")
        address = bind_address()
        verbs = all_verbs()
        module = os.environ.get("FTL_MODULE") or os.path.splitext(os.path.basename(sys.argv[0]))[0]
        # Ping and List have a thread of their own, so that a busy module still answers them.
        control = ThreadPoolExecutor(1, "ftl-control")
        calls = CallPool(threads, control)
        server = make_server(VerbService(module, verbs, install(), calls), calls, control)
        listen(server, address)
    except Error as error:
        sys.exit(f"ftl: {error}")
    asked = watch_signals()
    server.start()
    while os.read(asked, 1)[0] not in STOP_SIGNALS:
        pass
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    # No limit for the calls in progress: the Runner kills this process when they take too long.
    server.stop(threading.TIMEOUT_MAX).wait()
