# SPDX-License-Identifier: Apache-2.0
"""
FTL's built-in types: their names in a schema, and their conversion from and to JSON. _declared.py has the types that a
module declares.
"""

from __future__ import annotations

import base64
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ftl._errors import Error
from ftl._json import (
    INVALID_KEY,
    INVALID_VALUE,
    UNKNOWN_FIELD,
    Mismatch,
    key_step,
    kind,
    parse_json,
    quoted,
    single,
)

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
# RFC 3339; datetime.fromisoformat accepts more than that.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_VERB = re.compile(r"[A-Za-z_]\w{0,63}\.[A-Za-z_]\w{0,63}", re.ASCII)
_INT_KEY = re.compile(r"0|-?[1-9]\d*", re.ASCII)


class UnusableTypeError(Error):
    """An annotation that has no counterpart in FTL."""


def read(typed: Type, body: bytes, root: str) -> Any:
    """Parses `body` as a value of the type. A Mismatch has a path that begins with `root`."""
    try:
        return typed.decode(parse_json(body))
    except Mismatch as mismatch:
        raise mismatch.within(root) from mismatch.__cause__


class Type(ABC):
    """A type of FTL and its counterpart in Python."""

    @abstractmethod
    def name(self, module: str) -> str:
        """The name of the type in the schema of `module`."""

    @abstractmethod
    def decode(self, value: Any) -> Any:
        """Converts a value of the JSON parser to the Python value."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Converts a Python value to a value for the JSON writer."""

    def parts(self) -> Iterator[Type]:
        """The types that stand in the name of this type."""
        return iter(())

    def base(self) -> Type:
        """The type that an alias stands for; any other type itself."""
        return self


class Scalar(Type):
    def __init__(self, name: str, python: type) -> None:
        self._name = name
        self._python = python

    def name(self, module: str) -> str:
        return self._name

    def decode(self, value: Any) -> Any:
        # isinstance would accept a bool as an int.
        if type(value) is not self._python:
            raise Mismatch(f"expected {self._name}, got {kind(value)}")
        return value

    def encode(self, value: Any) -> Any:
        if type(value) is not self._python:
            raise Mismatch(f"expected {self._name}, got {type(value).__name__}")
        return value


class String(Scalar):
    def __init__(self) -> None:
        super().__init__("String", str)

    def encode(self, value: Any) -> Any:
        # Members of a StrEnum and values of other subclasses of str are strings as well.
        text = str.__str__(value) if isinstance(value, str) else super().encode(value)
        if "\0" in text:
            raise Mismatch("expected String, got one with a NUL in it")
        try:
            text.isascii() or text.encode()
        except UnicodeEncodeError:
            raise Mismatch("expected String, got one with half of a surrogate pair in it") from None
        return text


class Int(Scalar):
    def __init__(self) -> None:
        super().__init__("Int", int)

    def decode(self, value: Any) -> Any:
        if type(value) is float:
            raise Mismatch(f"expected Int, got {value}", code=INVALID_VALUE)
        return self._in_range(super().decode(value))

    def encode(self, value: Any) -> Any:
        return self._in_range(super().encode(value))

    @staticmethod
    def _in_range(value: int) -> int:
        if not INT_MIN <= value <= INT_MAX:
            raise Mismatch("expected Int, got a number that does not fit in 64 bits", code=INVALID_VALUE)
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
            raise Mismatch("expected Float, got a number that is too large, or none at all", code=INVALID_VALUE)
        return value


class Bytes(Scalar):
    def __init__(self) -> None:
        super().__init__("Bytes", bytes)

    def decode(self, value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch(f"expected Bytes in base64, got {kind(value)}")
        content = base64_content(value)
        if content is None:
            raise Mismatch(f"expected Bytes in base64, got {quoted(value)}", code=INVALID_VALUE)
        return content

    def encode(self, value: Any) -> Any:
        return base64.b64encode(super().encode(value)).decode()


def base64_content(text: str) -> bytes | None:
    """Decodes base64 by RFC 4648, section 4; None when padding is missing or the last digit has stray bits."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return content if base64.b64encode(content).decode() == text else None


class Time(Scalar):
    def __init__(self) -> None:
        super().__init__("Time", datetime)

    def decode(self, value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch(f"expected Time, got {kind(value)}")
        moment = time_of(value)
        if moment is None:
            raise Mismatch(f'expected Time, as in "2026-01-02T03:04:05Z", got {quoted(value)}', code=INVALID_VALUE)
        return moment

    def encode(self, value: Any) -> Any:
        offset = super().encode(value).utcoffset()
        if offset is None:
            raise Mismatch("expected Time, got a datetime without its zone; datetime.now(UTC) has one")
        try:
            utc = value.astimezone(UTC)
        except OverflowError:
            raise Mismatch("expected Time, got one that is not between the years 1 and 9999 in UTC") from None
        if offset % timedelta(minutes=1):  # an offset in RFC 3339 has no seconds
            value = utc
        return value.isoformat().replace("+00:00", "Z")


def time_of(text: str) -> datetime | None:
    """Parses a time between the years 1 and 9999 in UTC, to the microsecond; a leap second becomes the next second."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    date, hour, minute, second, fraction, zone, _ = match.groups()
    leap = second == "60"
    try:
        clock = f"{hour}:{minute}:{'59' if leap else second}{(fraction or '')[:7]}"
        moment = datetime.fromisoformat(f"{date}T{clock}{zone.upper()}") + timedelta(seconds=leap)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment


class Unit(Type):
    """The type of a verb's request or response that has no value."""

    def name(self, module: str) -> str:
        return "Unit"

    def decode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected Unit, which is {{}}, got {kind(value)}")
        if value:
            raise Mismatch(f"unknown field {quoted(next(iter(value)))}; Unit has none", code=UNKNOWN_FIELD)

    def encode(self, value: Any) -> Any:
        if value is not None:
            raise Mismatch(f"expected None, got {type(value).__name__}")
        return {}


class LenientUnit(Unit):
    def decode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            super().decode(value)


class VerbName(Scalar):
    """The name of a verb. The verb `like` is an example of one that fits."""

    def __init__(self, like: str) -> None:
        super().__init__(f"verb {like}", str)
        self.like = like
        if not is_verb_name(like):
            raise UnusableTypeError(f'VerbName("{like}"): it names a verb, as in VerbName("time.time")')

    def decode(self, value: Any) -> Any:
        if not is_verb_name(super().decode(value)):
            raise Mismatch(f'expected the name of a verb, as in "{self.like}", got {quoted(value)}', code=INVALID_VALUE)
        return value

    def encode(self, value: Any) -> Any:
        return self.decode(value)


def is_verb_name(text: str) -> bool:
    return _VERB.fullmatch(text) is not None


class Array(Type):
    def __init__(self, element: Type) -> None:
        self.element = element

    def name(self, module: str) -> str:
        return f"[{self.element.name(module)}]"

    def decode(self, value: Any) -> Any:
        if type(value) is not list:
            raise Mismatch(f"expected an array, got {kind(value)}")
        return elements(value, self.element.decode)

    def encode(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch(f"expected a list, got {type(value).__name__}")
        return elements(value, self.element.encode)

    def parts(self) -> Iterator[Type]:
        yield self.element


class Map(Type):
    """A map with keys of String, Int or an enum of values. JSON writes every key as a string."""

    def __init__(self, key: Type, value: Type) -> None:
        self.key = key
        self.value = value

    def name(self, module: str) -> str:
        return f"{{{self.key.name(module)}: {self.value.name(module)}}}"

    def decode(self, value: Any) -> Any:
        named = single(value, "an object", key_step)
        return {self._key(key): entry for key, entry in entries(named, self.value.decode)}

    def encode(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected a dict, got {type(value).__name__}")
        try:
            named = {str(self.key.encode(key)): entry for key, entry in value.items()}
        except Mismatch as mismatch:
            raise Mismatch(f"a key: {mismatch.problem}") from None
        return dict(entries(named, self.value.encode))

    def parts(self) -> Iterator[Type]:
        yield self.key
        yield self.value

    def _key(self, text: str) -> Any:
        is_int = self.of_int
        if is_int and (not _INT_KEY.fullmatch(text) or len(text) > len(str(INT_MIN))):
            raise Mismatch(f"expected a key that is an Int, got {quoted(text)}", code=INVALID_KEY)
        try:
            return self.key.decode(int(text) if is_int else text)
        except Mismatch as mismatch:
            raise Mismatch(f"a key: {mismatch.problem}", code=INVALID_KEY) from None

    @property
    def of_int(self) -> bool:
        base = self.key.base()
        return isinstance(getattr(base, "value_type", base), Int)


class Optional(Type):
    def __init__(self, inner: Type) -> None:
        self.inner = inner

    def name(self, module: str) -> str:
        return self.inner.name(module) + "?"

    def decode(self, value: Any) -> Any:
        return None if value is None else self.inner.decode(value)

    def encode(self, value: Any) -> Any:
        return None if value is None else self.inner.encode(value)

    def parts(self) -> Iterator[Type]:
        yield self.inner


def elements(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    result = []
    for index, value in enumerate(values):
        try:
            result.append(convert(value))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{index}]") from None
    return result


def entries(values: dict[Any, Any], convert: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if type(key) is not str:
            raise Mismatch(f"expected a String as key, got {type(key).__name__}")
        try:
            converted = convert(value)
        except Mismatch as mismatch:
            raise mismatch.within(key_step(key)) from None
        yield key, converted
