# SPDX-License-Identifier: Apache-2.0
"""The errors that a call to another module's verb can raise."""

from enum import StrEnum


class Code(StrEnum):
    """The codes of gRPC: why a call was not answered."""

    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    INVALID_ARGUMENT = "invalid_argument"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    PERMISSION_DENIED = "permission_denied"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    FAILED_PRECONDITION = "failed_precondition"
    ABORTED = "aborted"
    OUT_OF_RANGE = "out_of_range"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    DATA_LOSS = "data_loss"
    UNAUTHENTICATED = "unauthenticated"


class Error(Exception):
    """Base class of all errors that this package raises."""


class CallError(Error):
    """The verb ran and failed; `message` is its error text."""

    def __init__(self, verb: str, message: str) -> None:
        super().__init__(f"{verb}: {message}")
        self.verb = verb
        self.message = message


class StatusError(Error):
    """The verb did not answer; `code` says why. Retrying helps only for Code.UNAVAILABLE."""

    def __init__(self, verb: str, code: Code, message: str) -> None:
        super().__init__(f"{verb}: {code}: {message}")
        self.verb = verb
        self.code = code
        self.message = message
