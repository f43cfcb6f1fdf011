# SPDX-License-Identifier: Apache-2.0
"""The verbs of this program: functions that @ftl.verb has seen."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from ftl._types import Data, Type, UnusableTypeError, hints_of, reachable, type_of

Function = TypeVar("Function", bound=Callable[[Any], object])


@dataclass(frozen=True)
class Verb:
    name: str
    function: Callable[[Any], object]
    request: Data
    response: Data
    export: bool
    calls: tuple[str, ...]


@dataclass(frozen=True)
class _Marked:
    """A decorated function. Its types may be defined further down, so they are looked at later."""

    function: Callable[[Any], object]
    export: bool
    calls: tuple[str, ...]


_marked: dict[str, _Marked] = {}


@overload
def verb(function: Function, /) -> Function: ...
@overload
def verb(*, export: bool = True, calls: Sequence[str] = ()) -> Callable[[Function], Function]: ...
def verb(function: Function | None = None, /, *, export: bool = True, calls: Sequence[str] = ()) -> Any:
    """
    Makes a function of one dataclass to another a verb: @ftl.verb, or @ftl.verb(calls=["echo.echo"]).

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
    _marked[name] = _Marked(function, export, calls)
    return function


def all_verbs() -> dict[str, Verb]:
    """The verbs with their types, once the whole program has been read."""
    verbs = {name: _resolved(name, marked) for name, marked in _marked.items()}
    names: dict[str, type] = {}
    for data in reachable(part for verb in verbs.values() for part in (verb.request, verb.response)):
        other = names.setdefault(data.python.__name__, data.python)
        if other is not data.python:
            raise UnusableTypeError(f"{data.python.__name__}: two types of one module have that name")
    return verbs


def _resolved(name: str, marked: _Marked) -> Verb:
    hints = hints_of(marked.function)
    parameters = list(inspect.signature(marked.function).parameters)
    if len(parameters) != 1:
        raise UnusableTypeError(f"verb {name}: it takes one argument, its request; this takes {len(parameters)}")
    request = _data(f"verb {name}, argument {parameters[0]}", hints.get(parameters[0]))
    response = _data(f"verb {name}, what it returns", hints.get("return"))
    return Verb(name, marked.function, request, response, marked.export, marked.calls)


def _data(what: str, annotation: Any) -> Data:
    found: Type | None = None if annotation is None else type_of(annotation)
    if not isinstance(found, Data):
        shown = "nothing" if annotation is None else getattr(annotation, "__name__", repr(annotation))
        raise UnusableTypeError(f"{what}: it is annotated with a dataclass; this with {shown}")
    return found
