# SPDX-License-Identifier: Apache-2.0
"""
Annotations as FTL types: how each is named in a schema, read from JSON and written as JSON.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
import re
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Union

from ftl._errors import Error
from ftl._json import Mismatch, kind, near, quoted, step

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
# RFC 3339; datetime.fromisoformat alone takes more than that.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class UnusableTypeError(Error):
    """An annotation that has no counterpart in FTL."""


class Type(ABC):
    """A type of FTL and its counterpart in Python."""

    @abstractmethod
    def name(self, module: str) -> str:
        """As a schema of `module` writes it."""

    @abstractmethod
    def decode(self, value: Any) -> Any:
        """From what the JSON parser gives."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """To what the JSON writer takes."""

    def parts(self) -> Iterator[Type]:
        """The types that it is made of."""
        return iter(())


class Scalar(Type):
    def __init__(self, name: str, python: type) -> None:
        self._name = name
        self._python = python

    def name(self, module: str) -> str:
        return self._name

    def decode(self, value: Any) -> Any:
        # Not isinstance: a bool is an int to it.
        if type(value) is not self._python:
            raise Mismatch(f"expected {self._name}, got {kind(value)}")
        return value

    def encode(self, value: Any) -> Any:
        if type(value) is not self._python:
            raise Mismatch(f"expected {self._name}, got {type(value).__name__}")
        return value


class Int(Scalar):
    def __init__(self) -> None:
        super().__init__("Int", int)

    def decode(self, value: Any) -> Any:
        if type(value) is float:
            raise Mismatch("expected Int, got a number with a fraction or an exponent")
        return self._in_range(super().decode(value))

    def encode(self, value: Any) -> Any:
        return self._in_range(super().encode(value))

    @staticmethod
    def _in_range(value: int) -> int:
        if not INT_MIN <= value <= INT_MAX:
            raise Mismatch("expected Int, got a number that does not fit in 64 bits")
        return value


class Float(Scalar):
    def __init__(self) -> None:
        super().__init__("Float", float)

    def decode(self, value: Any) -> Any:
        return self._finite(super().decode(self._widened(value)))

    def encode(self, value: Any) -> Any:
        return self._finite(super().encode(self._widened(value)))

    @staticmethod
    def _widened(value: Any) -> Any:
        try:
            return float(value) if type(value) is int else value
        except OverflowError:
            return math.inf

    @staticmethod
    def _finite(value: float) -> float:
        if not math.isfinite(value):
            raise Mismatch("expected Float, got a number that is too large, or none at all")
        return value


class Bytes(Scalar):
    def __init__(self) -> None:
        super().__init__("Bytes", bytes)

    def decode(self, value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch(f"expected Bytes as a base64 string, got {kind(value)}")
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            raise Mismatch("expected Bytes as a base64 string, got a string that is not base64") from None

    def encode(self, value: Any) -> Any:
        return base64.b64encode(super().encode(value)).decode()


class Time(Scalar):
    def __init__(self) -> None:
        super().__init__("Time", datetime)

    def decode(self, value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch(f"expected Time as an RFC 3339 string, got {kind(value)}")
        if _TIME.fullmatch(value):
            try:
                return datetime.fromisoformat(value.upper())
            except ValueError:  # a 30th of February, say
                pass
        raise Mismatch(f"expected Time as RFC 3339 with its zone (2024-02-29T12:00:00Z), got {quoted(value)}")

    def encode(self, value: Any) -> Any:
        offset = super().encode(value).utcoffset()
        if offset is None:
            raise Mismatch("expected Time, got a datetime without its zone; datetime.now(UTC) has one")
        if offset % timedelta(minutes=1):  # RFC 3339 has no seconds in an offset
            value = value.astimezone(UTC)
        return value.isoformat().replace("+00:00", "Z")


class Unit(Type):
    """No value, where a verb takes or answers nothing."""

    def name(self, module: str) -> str:
        return "Unit"

    def decode(self, value: Any) -> Any:
        if value is not None and value != {}:
            raise Mismatch(f"expected {{}}, got {kind(value) if type(value) is not dict else 'an object with fields'}")

    def encode(self, value: Any) -> Any:
        if value is not None:
            raise Mismatch(f"expected None, got {type(value).__name__}")
        return {}


class Anything(Type):
    def name(self, module: str) -> str:
        return "Any"

    def decode(self, value: Any) -> Any:
        return value

    def encode(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, list | tuple):
            return elements(value, self.encode)
        if isinstance(value, dict):
            return entries(value, self.encode)
        try:
            known = type_of(type(value))
        except UnusableTypeError:
            raise Mismatch(f"a {type(value).__name__} has no form in JSON") from None
        return known.encode(value)


class Array(Type):
    def __init__(self, element: Type) -> None:
        self._element = element

    def name(self, module: str) -> str:
        return f"[{self._element.name(module)}]"

    def decode(self, value: Any) -> Any:
        if type(value) is not list:
            raise Mismatch(f"expected an array, got {kind(value)}")
        return elements(value, self._element.decode)

    def encode(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch(f"expected a list, got {type(value).__name__}")
        return elements(value, self._element.encode)

    def parts(self) -> Iterator[Type]:
        yield self._element


class Map(Type):
    def __init__(self, value: Type) -> None:
        self._value = value

    def name(self, module: str) -> str:
        return f"{{String: {self._value.name(module)}}}"

    def decode(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(f"expected an object, got {kind(value)}")
        return entries(value, self._value.decode)

    def encode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected a dict, got {type(value).__name__}")
        return entries(value, self._value.encode)

    def parts(self) -> Iterator[Type]:
        yield self._value


class Optional(Type):
    def __init__(self, inner: Type) -> None:
        self._inner = inner

    def name(self, module: str) -> str:
        return self._inner.name(module) + "?"

    def decode(self, value: Any) -> Any:
        return None if value is None else self._inner.decode(value)

    def encode(self, value: Any) -> Any:
        return None if value is None else self._inner.encode(value)

    def parts(self) -> Iterator[Type]:
        yield self._inner


class Enum(Type):
    """An enum of strings or of integers; its JSON is the value."""

    def __init__(self, python: type[enum.Enum]) -> None:
        self.python = python
        kinds = {type(member.value) for member in python}
        if kinds not in ({str}, {int}):
            raise UnusableTypeError(f"{python.__qualname__}: the values of an enum are all str or all int")
        self.base: Type = type_of(kinds.pop())
        self._members = {member.value: member for member in python}

    def name(self, module: str) -> str:
        return f"{module}.{self.python.__name__}"

    def decode(self, value: Any) -> Any:
        try:
            return self._members[self.base.decode(value)]
        except KeyError:
            shown = quoted(value)
            raise Mismatch(f"{shown} is no {self.python.__name__}; {near(value, self._members)}") from None

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self.python):
            raise Mismatch(f"expected {self.python.__name__}, got {type(value).__name__}")
        return value.value


@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    type: Type
    comment: str
    # May be missing or null: the dataclass's default then, or None where it has none.
    optional: bool
    defaulted: bool


class Data(Type):
    """A dataclass. Read strictly, a field that it lacks is refused; else it is passed over."""

    def __init__(self, python: type, strict: bool) -> None:
        self.python = python
        self._strict = strict

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Resolved late, as a dataclass may hold itself."""
        hints = hints_of(self.python)
        return {f.name: self._field(f, hints[f.name]) for f in dataclasses.fields(self.python) if f.init}

    def _field(self, field: dataclasses.Field[Any], annotation: Any) -> Field:
        try:
            typed = type_of(annotation, self._strict)
        except UnusableTypeError as error:
            raise UnusableTypeError(f"{self.python.__qualname__}.{field.name}: {error}") from None
        missing = dataclasses.MISSING
        defaulted = field.default is not missing or field.default_factory is not missing
        if defaulted and not isinstance(typed, Optional):
            typed = Optional(typed)
        return Field(field.name, typed, comment_of(annotation), isinstance(typed, Optional), defaulted)

    def name(self, module: str) -> str:
        return f"{module}.{self.python.__name__}"

    def decode(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(f"expected {self.python.__name__}, got {kind(value)}")
        if self._strict and not value.keys() <= self.fields.keys():
            unknown = next(name for name in value if name not in self.fields)
            raise Mismatch(f"unknown field; {near(unknown, self.fields)}", step(unknown))
        arguments: dict[str, Any] = {}
        for name, field in self.fields.items():
            given = value.get(name)
            if given is None and field.optional:
                if not field.defaulted:
                    arguments[name] = None
                continue
            if name not in value:
                raise Mismatch("missing", name)
            try:
                arguments[name] = field.type.decode(given)
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
        try:
            return self.python(**arguments)
        except ValueError as error:  # from __post_init__: what the module itself checks
            raise Mismatch(str(error)) from error

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self.python):
            raise Mismatch(f"expected {self.python.__name__}, got {type(value).__name__}")
        result = {}
        for name, field in self.fields.items():
            try:
                encoded = field.type.encode(getattr(value, name))
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
            if encoded is not None or not field.optional:
                result[name] = encoded
        return result

    def parts(self) -> Iterator[Type]:
        for field in self.fields.values():
            yield field.type


def type_of(annotation: Any, strict: bool = True) -> Type:
    """The type that an annotation stands for, one object for each."""
    key = (annotation, strict)
    if key not in _known:
        _known[key] = _type_of(annotation, strict)
    return _known[key]


def _type_of(annotation: Any, strict: bool) -> Type:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return type_of(arguments[0], strict)
    if origin is list:
        return Array(type_of(arguments[0], strict))
    if origin is dict and arguments[0] is str:
        return Map(type_of(arguments[1], strict))
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = type_of(next(argument for argument in arguments if argument is not type(None)), strict)
        return inner if isinstance(inner, Optional) else Optional(inner)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Enum(annotation)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return Data(annotation, strict)
    known = "int, float, str, bool, bytes, datetime, Any, list[T], dict[str, T], T | None, an Enum or a dataclass"
    raise UnusableTypeError(f"{annotation!r} has no counterpart in FTL; use {known}")


_known: dict[tuple[Any, bool], Type] = {}
_PLAIN: dict[Any, Type] = {
    int: Int(),
    float: Float(),
    str: Scalar("String", str),
    bool: Scalar("Bool", bool),
    bytes: Bytes(),
    datetime: Time(),
    Any: Anything(),
    type(None): Unit(),
}


def reachable(roots: Iterable[Type]) -> list[Data | Enum]:
    """The dataclasses and enums that `roots` are made of, each ahead of its own parts."""
    found: dict[Type, None] = {}
    waiting = [*roots][::-1]
    while waiting:
        part = waiting.pop()
        if part not in found:
            found[part] = None
            waiting.extend([*part.parts()][::-1])
    return [part for part in found if isinstance(part, Data | Enum)]


def hints_of(annotated: Any) -> dict[str, Any]:
    """The annotations of a function or a class, with those that are strings resolved."""
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise UnusableTypeError(
            f"{annotated.__qualname__}: {error}; its types are defined beside it, not inside a function"
        ) from None


def comment_of(annotation: Any) -> str:
    """What Annotated[T, "…"] says of a field."""
    texts = [text for text in getattr(annotation, "__metadata__", ()) if isinstance(text, str)]
    return "\n".join(texts)


def elements(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    result = []
    for index, value in enumerate(values):
        try:
            result.append(convert(value))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None
    return result


def entries(values: Mapping[Any, Any], convert: Callable[[Any], Any]) -> dict[str, Any]:
    result = {}
    for key, value in values.items():
        if type(key) is not str:
            raise Mismatch(f"expected a String as key, got {type(key).__name__}")
        try:
            result[key] = convert(value)
        except Mismatch as mismatch:
            raise mismatch.within(f"[{quoted(key)}]") from None
    return result
