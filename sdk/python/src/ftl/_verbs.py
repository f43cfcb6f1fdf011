# SPDX-License-Identifier: Apache-2.0
"""The verbs of this program: the functions that are decorated with @ftl.verb."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from ftl._annotations import reachable, type_of
from ftl._declared import Data, Declared, Enum, Param, Sum, hints_of, parameters
from ftl._errors import Error
from ftl._types import Type, Unit, UnusableTypeError, is_verb_name

Function = TypeVar("Function", bound=Callable[..., object])

_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_RESERVED = frozenset(
    "module data verb enum typealias export Int Float String Bytes Bool Time Any Unit".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Marked:
    """A decorated function. Its annotations are resolved later, as they may name types defined further down."""

    function: Callable[..., object]
    export: bool
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Verb:
    name: str
    marked: Marked
    request: Type
    response: Type
    # The name of the argument; empty: the function has none.
    parameter: str

    def run(self, request: Any) -> object:
        """Calls the function; returns its result, or the coroutine of an async function."""
        return self.marked.function(request) if self.parameter else self.marked.function()

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.marked.function)


_marked: dict[str, Marked] = {}
_reading = False


@contextmanager
def reading() -> Iterator[None]:
    """While the context is open, a program is imported for its declarations: its ftl.main() does nothing."""
    global _reading
    _reading = True
    try:
        yield
    finally:
        _reading = False


def is_reading() -> bool:
    return _reading


def has_verbs() -> bool:
    return bool(_marked)


@overload
def verb(function: Function, /) -> Function: ...
@overload
def verb(
    *, name: str | None = ..., export: bool = ..., calls: Sequence[str | Callable[..., object]] = ...
) -> Callable[[Function], Function]: ...
def verb(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    export: bool = True,
    calls: Sequence[str | Callable[..., object]] = (),
) -> Any:
    """
    Makes a function a verb: @ftl.verb, or @ftl.verb(calls=["echo.echo"]). The function has at most one argument, and
    returns a value or None. Both need annotations; dataclasses are best, as fields can be added to them later.

    `calls` lists further verbs of other modules that the function calls, by name or by generated function. Verbs in
    ftl.call("module.verb", …) are found without it. A verb that is not exported can be called from its own module
    only. `name` is the name of the verb, for names that suit no function, such as list.
    """
    if function is None:
        return lambda later: _mark(later, name or later.__name__, export, calls)
    return _mark(function, name or function.__name__, export, calls)


def _mark(function: Function, name: str, export: bool, calls: Sequence[str | Callable[..., object]]) -> Function:
    if name in _marked:
        raise UnusableTypeError(f"verb {name}: there are two of that name")
    _marked[name] = Marked(function, export, tuple(_called(name, each) for each in calls))
    return function


def _called(name: str, called: str | Callable[..., object]) -> str:
    text = called if isinstance(called, str) else generated_name(called)
    if text is None or not is_verb_name(text):
        raise UnusableTypeError(f'verb {name}: calls has {called!r}: a verb is named "module.verb"')
    return text


def generated_name(function: object) -> str | None:
    """The name of the verb that a generated function calls."""
    verbs = getattr(function, "__globals__", {}).get("FTL_VERBS", {})
    return verbs.get(getattr(function, "__name__", None)) if inspect.isfunction(function) else None


def all_verbs() -> dict[str, Verb]:
    """The verbs with their types. Called after the whole program has been imported."""
    if not _marked:
        raise Error("no function of this program is decorated with @ftl.verb: write it above one")
    verbs = {name: _resolved(name, marked) for name, marked in _marked.items()}
    declared: dict[str, object] = dict.fromkeys(verbs)
    for verb in verbs.values():
        for part, types in (
            (f"its argument {verb.parameter}", [verb.request]),
            ("what it returns", [verb.response]),
        ):
            try:
                for each in reachable(types):
                    _check_names(each)
                    if declared.setdefault(each.label, each.identity) is not each.identity:
                        raise UnusableTypeError(f"{each.label}: two things of one module have that name")
            except UnusableTypeError as error:
                raise UnusableTypeError(f"verb {verb.name}: {part}: {error}") from None
    return verbs


def _check_names(declared: Declared) -> None:
    check_name(declared.label, declared.label in _RESERVED)
    names: list[str] = []
    match declared:
        case Data():
            names = list(declared.fields)
            for param in declared.params:
                check_name(param.__name__, param.__name__ in _RESERVED)
        case Enum():
            names = [member.name for member in declared.python]
        case Sum():
            names = list(declared.classes)
    for name in names:
        check_name(name, False, f" of {declared.label}")


def check_name(name: str, reserved: bool, where: str = "") -> None:
    if reserved:
        raise UnusableTypeError(f"{name}{where} is a word of the schema language: give it another name")
    if not _NAME.fullmatch(name):
        raise UnusableTypeError(f"{name}{where}: a name has at most 64 of a to z, A to Z, digits and underscores")


def _resolved(name: str, marked: Marked) -> Verb:
    try:
        check_name(name, name in _RESERVED)
        hints = hints_of(marked.function)
    except UnusableTypeError as error:
        raise UnusableTypeError(f"verb {name}: {error}") from None
    parameters = list(inspect.signature(marked.function).parameters.values())
    if len(parameters) > 1:
        shown = ", ".join(parameter.name for parameter in parameters)
        raise UnusableTypeError(f"verb {name}: it takes one argument, its request, and not {shown}: write a dataclass")
    request: Type = Unit()
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise UnusableTypeError(f"verb {name}: its argument is written {parameter}; it is one plain argument")
        request = _part(name, f"its argument {parameter.name}", parameter.name, hints)
    response = _part(name, "what it returns", "return", hints)
    return Verb(name, marked, request, response, parameters[0].name if parameters else "")


def _part(verb: str, what: str, key: str, hints: dict[str, Any]) -> Type:
    if key not in hints:
        form = "-> Answer, or -> None" if key == "return" else f"{key}: Request"
        raise UnusableTypeError(f"verb {verb}: {what} has no annotation: write {form}")
    try:
        typed = type_of(hints[key])
        if parameters(hints[key]) or isinstance(typed, Param):
            raise UnusableTypeError("a verb has no type parameters: put a type in")
    except UnusableTypeError as error:
        raise UnusableTypeError(f"verb {verb}: {what}: {error}") from None
    return typed
