# SPDX-License-Identifier: Apache-2.0
"""Calls to verbs of other modules, through the Backplane."""

from __future__ import annotations

import os
import threading
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ftl._annotations import type_of
from ftl._context import LOOP_THREAD, Call, current
from ftl._errors import CallError, Code, Error, StatusError
from ftl._json import Mismatch, write_json
from ftl._types import read

if TYPE_CHECKING:
    import grpc
    from xyz.block.ftl.v1.ftl_pb2 import CallRequest, CallResponse

T = TypeVar("T")

# The largest request and response in bytes; the Backplane has a limit of its own.
MESSAGE_MAX = 64 << 20
# Longest pause before gRPC connects again to a Backplane that restarts; gRPC's default is two minutes.
RECONNECT_MAX_MS = 1000


@overload
def call(verb: str, request: object = ..., response: None = ..., *, timeout: float | None = ...) -> Any: ...
@overload
def call(verb: str, request: object, response: type[T], *, timeout: float | None = ...) -> T: ...
def call(verb: str, request: object = None, response: type[T] | None = None, *, timeout: float | None = None) -> Any:
    """
    Calls "module.verb" and waits for the answer. Returns a `response` if a class is given, else the parsed JSON.

    `request` is a dataclass or a dict. `timeout` is in seconds; the deadline of the call being answered applies as
    well, and the end of that call cancels this one. Raises CallError when the verb failed, StatusError when it did not
    answer.
    """
    return call_typed(verb, {} if request is None else request, Any, Any if response is None else response, timeout)


def call_typed(verb: str, request: object, request_type: Any, response_type: Any, timeout: float | None) -> Any:
    """Called by generated code, which knows both types. None stands for Unit."""
    module, _, name = verb.partition(".")
    if not module or not name:
        raise ValueError(f'call of "{verb}": a verb is named "module.verb"')
    if threading.current_thread().name == LOOP_THREAD:
        raise Error(
            f"call of {verb}: it waits, and would hold up all async verbs: "
            "await asyncio.to_thread(…) with this function and its arguments"
        )
    try:
        body = write_json(type_of(request_type).encode(request))
    except Mismatch as mismatch:
        raise ValueError(f"call of {verb}: {mismatch.within('request')}") from None
    answer = _exchange(verb, module, name, body, timeout)
    try:
        # Not strict, so that a module may add fields to its response without breaking its callers.
        return read(type_of(response_type, strict=False), answer, "response")
    except Mismatch as mismatch:
        raise StatusError(verb, Code.INTERNAL, str(mismatch)) from None


def _exchange(verb: str, module: str, name: str, body: bytes, timeout: float | None) -> bytes:
    import grpc
    from xyz.block.ftl.v1 import ftl_pb2
    from xyz.block.ftl.v1.schema import schema_pb2

    caller = current()
    limits = [limit for limit in (timeout, caller.remaining if caller else None) if limit is not None]
    request = ftl_pb2.CallRequest(verb=schema_pb2.VerbRef(module=module, name=name), body=body)
    pending = _stub().future(request, timeout=min(limits, default=None), metadata=caller.headers if caller else ())
    try:
        with caller.calling_out(pending.cancel) if caller else nullcontext():
            response = pending.result()
    except grpc.FutureCancelledError:
        raise StatusError(verb, Code.CANCELLED, "the call that caused it has ended") from None
    except grpc.RpcError as error:
        problem = undeclared(caller, verb, error) or error.details() or ""
        raise StatusError(verb, Code[error.code().name], problem) from None
    if response.WhichOneof("response") == "error":
        raise CallError(verb, response.error.message)
    return response.body


def undeclared(caller: Call | None, verb: str, error: grpc.RpcError) -> str | None:
    """What to do when the schema lacks a call. The Backplane's advice names the schema, which is made from the code."""
    details = [datum.value for datum in error.trailing_metadata() or () if datum.key == "grpc-status-details-bin"]
    if caller is None or not any(b"CALL_NOT_DECLARED" in value for value in details if isinstance(value, bytes)):
        return None
    return (
        f"{caller.verb} may not call {verb}, as its schema does not declare the call. The schema is made from the "
        f'code, in which the call was not seen: add it to the decorator, @ftl.verb(calls=["{verb}"])'
    )


@cache
def _stub() -> grpc.UnaryUnaryMultiCallable[CallRequest, CallResponse]:
    import grpc
    from xyz.block.ftl.v1 import ftl_pb2

    endpoint = os.environ.get("FTL_ENDPOINT", "")
    options = [
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MESSAGE_MAX),
        ("grpc.max_send_message_length", MESSAGE_MAX),
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_MAX_MS // 10),
        ("grpc.min_reconnect_backoff_ms", RECONNECT_MAX_MS // 10),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MAX_MS),
    ]
    scheme, _, address = endpoint.partition("://")
    address = address.rstrip("/")
    if endpoint.startswith("unix:"):
        channel = grpc.insecure_channel(endpoint, options)
    elif scheme == "http" and address:
        channel = grpc.insecure_channel(address, options)
    elif scheme == "https" and address:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
    else:
        given = f'is "{endpoint}"' if endpoint else "is not set"
        raise Error(f"FTL_ENDPOINT {given}: it is the Backplane's, like http://127.0.0.1:8892; `ftl deploy` sets it")
    return channel.unary_unary(
        "/xyz.block.ftl.v1.VerbService/Call",
        request_serializer=ftl_pb2.CallRequest.SerializeToString,
        response_deserializer=ftl_pb2.CallResponse.FromString,
    )
