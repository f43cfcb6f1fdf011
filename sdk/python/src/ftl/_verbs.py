# SPDX-License-Identifier: Apache-2.0
"""The verbs of this program: functions that @ftl.verb has seen."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from ftl._errors import Error
from ftl._types import Type, Unit, UnusableTypeError, hints_of, reachable, type_of

Function = TypeVar("Function", bound=Callable[..., object])


@dataclass(frozen=True)
class Marked:
    """A decorated function. Its types may be defined further down, so they are looked at later."""

    function: Callable[..., object]
    export: bool
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Verb:
    name: str
    marked: Marked
    request: Type
    response: Type
    takes_request: bool

    def run(self, request: Any) -> object:
        return self.marked.function(request) if self.takes_request else self.marked.function()


_marked: dict[str, Marked] = {}


@overload
def verb(function: Function, /) -> Function: ...
@overload
def verb(*, export: bool = True, calls: Sequence[str] = ()) -> Callable[[Function], Function]: ...
def verb(function: Function | None = None, /, *, export: bool = True, calls: Sequence[str] = ()) -> Any:
    """
    Makes a function a verb: @ftl.verb, or @ftl.verb(calls=["echo.echo"]). It takes one value or none and returns one or
    None; both are annotated, best with dataclasses: those can grow.

    `calls` names verbs of other modules that it calls and that its text does not show: those in
    ftl.call("module.verb", …) are found. A verb that is not exported can be called from its own module only.
    """
    if function is None:
        return lambda later: _mark(later, export, tuple(calls))
    return _mark(function, export, tuple(calls))


def _mark(function: Function, export: bool, calls: tuple[str, ...]) -> Function:
    name = function.__name__
    if inspect.iscoroutinefunction(function):
        raise UnusableTypeError(f"verb {name}: it is async; a verb is a plain function and runs in a thread of its own")
    if name in _marked:
        raise UnusableTypeError(f"verb {name}: there are two of that name")
    _marked[name] = Marked(function, export, calls)
    return function


def all_verbs() -> dict[str, Verb]:
    """The verbs with their types, once the whole program has been read."""
    if not _marked:
        raise Error("no function of this program is decorated with @ftl.verb")
    verbs = {name: _resolved(name, marked) for name, marked in _marked.items()}
    names: dict[str, type] = {}
    for data in reachable(part for verb in verbs.values() for part in (verb.request, verb.response)):
        other = names.setdefault(data.python.__name__, data.python)
        if other is not data.python:
            raise UnusableTypeError(f"{data.python.__name__}: two types of one module have that name")
    return verbs


def _resolved(name: str, marked: Marked) -> Verb:
    hints = hints_of(marked.function)
    parameters = list(inspect.signature(marked.function).parameters)
    if len(parameters) > 1:
        raise UnusableTypeError(f"verb {name}: it takes one argument, its request; this takes {len(parameters)}")
    for part in (*parameters, "return"):
        if part not in hints:
            what = "what it returns" if part == "return" else f"its argument {part}"
            raise UnusableTypeError(f"verb {name}: {what} has no annotation")
    try:
        request = type_of(hints[parameters[0]]) if parameters else Unit()
        return Verb(name, marked, request, type_of(hints["return"]), bool(parameters))
    except UnusableTypeError as error:
        raise UnusableTypeError(f"verb {name}: {error}") from None
