# SPDX-License-Identifier: Apache-2.0
"""The call that the running code answers. Calls to other modules and log lines take their context from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Headers that a call to another module copies from the call that caused it.
CARRIED = ("ftl-verb", "ftl-request-id", "traceparent", "tracestate")

# Name of the thread in which async verbs run.
LOOP_THREAD = "ftl-loop"

Header = tuple[str, str | bytes]


class Call:
    """A call that is being answered."""

    def __init__(self, verb: str, headers: Iterable[Header], remaining: float | None) -> None:
        self.verb = verb
        self.headers = tuple(header for header in headers if header[0] in CARRIED)
        self._deadline = None if remaining is None else time.monotonic() + remaining
        self._lock = threading.Lock()
        self._ended = False
        self._calls_out: set[Callable[[], object]] = set()

    @property
    def request_id(self) -> str:
        """The id that all calls caused by one request from outside share; empty when there is none."""
        return next((str(value) for key, value in self.headers if key == "ftl-request-id"), "")

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline; None: the call has no deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether the caller no longer waits for the answer. A verb that runs for long should check this and stop."""
        return self._ended

    def end(self) -> None:
        """Called when the call is answered, cancelled, or past its deadline. Cancels its calls that still run."""
        with self._lock:
            self._ended = True
            calls_out = list(self._calls_out)
        for cancel in calls_out:
            cancel()

    @contextmanager
    def calling_out(self, cancel: Callable[[], object]) -> Iterator[None]:
        """While the context is open, the end of this call runs `cancel`; at once if it has ended already."""
        with self._lock:
            self._calls_out.add(cancel)
            ended = self._ended
        if ended:
            cancel()
        try:
            yield
        finally:
            with self._lock:
                self._calls_out.discard(cancel)


_current: ContextVar[Call | None] = ContextVar("ftl_call", default=None)


def current() -> Call | None:
    """The call that the running code answers; None outside of a call, such as in a thread that a verb started."""
    return _current.get()


@contextmanager
def answering(call: Call) -> Iterator[None]:
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
