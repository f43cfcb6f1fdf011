# SPDX-License-Identifier: Apache-2.0
"""Write FTL modules in Python: decorate a function with @ftl.verb, end the file with ftl.main()."""

from ftl import _start
from ftl._client import call, call_typed
from ftl._context import Call, current
from ftl._declared import Name, Variant
from ftl._errors import CallError, Code, Error, StatusError
from ftl._types import VerbName
from ftl._verbs import is_reading, verb

__all__ = [
    "Call",
    "CallError",
    "Code",
    "Error",
    "Name",
    "StatusError",
    "Variant",
    "VerbName",
    "call",
    "call_typed",
    "current",
    "main",
    "verb",
]


def main(*, threads: int = 32) -> None:
    """
    Serves the verbs of this program on FTL_BIND until SIGTERM; returns once the calls in progress are done.

    At most `threads` calls run at the same time and 1000 more wait; further calls are refused.
    """
    if is_reading():
        return
    _start.began()
    from ftl import _serve  # gRPC is slow to import, and reading a schema does not need it

    _serve.run(threads)
