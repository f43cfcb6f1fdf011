# SPDX-License-Identifier: Apache-2.0
"""Turns annotations into FTL types."""

from __future__ import annotations

import collections.abc
import dataclasses
import decimal
import enum
import math
import sys
import types
import typing
import uuid
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Literal, NewType, TypeVar, Union

from ftl._declared import Alias, Data, Declared, Enum, Param, Sum, is_variant, parameters, seen_modules
from ftl._json import INVALID_VALUE, Mismatch, key_step, single
from ftl._types import (
    Array,
    Bytes,
    Float,
    Int,
    LenientUnit,
    Map,
    Optional,
    Scalar,
    String,
    Time,
    Type,
    Unit,
    UnusableTypeError,
    VerbName,
    elements,
    entries,
)


class Anything(Type):
    """
    Any JSON that every language reads alike: no key twice in an object, and no number that a Float cannot hold. The
    class of a Python value decides how it is written.
    """

    def name(self, module: str) -> str:
        return "Any"

    def decode(self, value: Any) -> Any:
        match value:
            case dict():
                return dict(entries(single(value, "an object", key_step), self.decode))
            case list():
                return elements(value, self.decode)
            case float() | int():
                self._check_number(value)
        return value

    @staticmethod
    def _check_number(value: float) -> None:
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an int
            finite = False
        if not finite:
            raise Mismatch("expected Any, got a number that is too large", code=INVALID_VALUE)

    def encode(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int):
            self._check_number(value or 0)
            return value
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return _PLAIN[str].encode(value)
        if isinstance(value, list | tuple):
            return elements(value, self.encode)
        if isinstance(value, dict):
            return dict(entries(value, self.encode))
        try:
            known = type_of(type(value))
        except UnusableTypeError:
            raise Mismatch(f"a {type(value).__name__} has no form in JSON that its class alone tells") from None
        return known.encode(value)


_PLAIN: dict[Any, Type] = {
    int: Int(),
    float: Float(),
    str: String(),
    bool: Scalar("Bool", bool),
    bytes: Bytes(),
    datetime: Time(),
    Any: Anything(),
    type(None): Unit(),
}
_LENIENT_UNIT = LenientUnit()
_known: dict[tuple[Any, bool], Type] = {}


def type_of(annotation: Any, strict: bool = True) -> Type:
    """The type that an annotation stands for; the same object each time."""
    if typing.get_origin(annotation) is Annotated:
        marks = (mark for mark in annotation.__metadata__ if isinstance(mark, VerbName))
        return next(marks, None) or type_of(annotation.__origin__, strict)
    key = (annotation, strict)
    try:
        if key not in _known:
            _known[key] = _type_of(None if annotation is type(None) else annotation, strict)
        return _known[key]
    except TypeError:  # the annotation is not hashable, so it is no type
        raise unusable(annotation) from None


def _type_of(annotation: Any, strict: bool) -> Type:
    if annotation is None:
        return _PLAIN[type(None)] if strict else _LENIENT_UNIT
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    resolve = partial(type_of, strict=strict)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, TypeVar):
        return Param(annotation)
    if origin is list:
        return Array(resolve(arguments[0]))
    if origin is dict:
        return Map(_key_of(resolve(arguments[0]), annotation), resolve(arguments[1]))
    if origin in (Union, types.UnionType):
        return _union(annotation, arguments, resolve, strict)
    if isinstance(annotation, NewType):
        return Alias(annotation, annotation.__supertype__, resolve)
    if hasattr(annotation, "__type_params__") and hasattr(annotation, "__value__"):  # type X = …
        return _named(annotation, resolve, strict)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Enum(annotation, resolve)
    python = origin or annotation
    if isinstance(python, type) and dataclasses.is_dataclass(python):
        if is_variant(python):
            return _sum(annotation, (annotation,), resolve, strict)
        return Data(python, arguments, resolve, strict)
    raise unusable(annotation)


def _key_of(key: Type, annotation: Any) -> Type:
    if isinstance(key.base(), String | Int | Enum):
        return key
    raise UnusableTypeError(f"{shown(annotation)}: a key is str, int, or an Enum of those")


def _union(annotation: Any, arguments: tuple[Any, ...], resolve: Any, strict: bool) -> Type:
    members = tuple(each for each in arguments if each is not type(None))
    if len(members) > 1:
        inner: Type = _sum(annotation, members, resolve, strict)
    else:
        inner = resolve(members[0])
    if len(members) == len(arguments) or isinstance(inner.base(), Optional):
        return inner
    return Optional(inner)


def _named(annotation: Any, resolve: Any, strict: bool) -> Type:
    if annotation.__type_params__:
        raise UnusableTypeError(f"{annotation.__name__}: an alias has no type parameters; a dataclass may have some")
    target = annotation.__value__
    members = typing.get_args(target)
    is_sum = typing.get_origin(target) in (Union, types.UnionType) and len(set(members) - {type(None)}) > 1
    if not is_sum or type(None) in members:
        return Alias(annotation, target, resolve)
    _check_members(target, members)
    return Sum(annotation.__name__, members, [annotation.__module__], resolve, strict)


def _sum(annotation: Any, members: tuple[Any, ...], resolve: Any, strict: bool) -> Sum:
    _check_members(annotation, members)
    classes = [typing.get_origin(member) or member for member in members]
    modules = list(dict.fromkeys([each.__module__ for each in classes] + list(seen_modules)))
    for module in modules:
        for name, value in vars(sys.modules.get(module, types)).items():
            assigned = tuple(each for each in typing.get_args(value) if each is not type(None))
            is_union = typing.get_origin(value) in (Union, types.UnionType)
            if is_union and set(assigned) == set(members) and not name.startswith("_"):
                return Sum(name, assigned, [module], resolve, strict)
            if value is annotation and name != value.__name__:
                return Sum(name, members, [module], resolve, strict)
    if len(members) == 1:
        raise UnusableTypeError(f"{shown(annotation)} is an ftl.Variant, which stands in a union with others")
    written = " | ".join(map(shown, members))
    raise UnusableTypeError(
        f"{written} has no name: write, at the top of the file, Either = {written}, with a name of your own, "
        "and Either here"
    )


def _check_members(annotation: Any, members: tuple[Any, ...]) -> None:
    for member in members:
        if parameters(member):
            raise UnusableTypeError(f"{shown(annotation)}: an enum of types has no type parameters")
        if not dataclasses.is_dataclass(typing.get_origin(member) or member):
            raise UnusableTypeError(
                f"{shown(annotation)}: JSON cannot tell {shown(member)} from the others; "
                f"a variant is a dataclass, or an ftl.Variant with value: {shown(member)}"
            )


# Annotations that are often tried, and the one to use instead.
_INSTEAD: tuple[tuple[tuple[Any, ...], str], ...] = (
    ((list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Iterable), "list[T], as in list[str]"),
    ((dict, collections.abc.Mapping, collections.abc.MutableMapping), "dict[K, V], as in dict[str, int]"),
    ((date, time), "datetime"),
    ((timedelta,), "float, in seconds"),
    ((decimal.Decimal, uuid.UUID), "str"),
    ((bytearray, memoryview), "bytes"),
    ((object,), "Any"),
    ((Literal,), "an Enum of those values"),
)
_KNOWN = "int, float, str, bool, bytes, datetime, Any, list[T], dict[K, V], T | None, an Enum or a dataclass"


def unusable(annotation: Any) -> UnusableTypeError:
    python = typing.get_origin(annotation) or annotation
    instead = next((text for wrong, text in _INSTEAD if any(python is each for each in wrong)), "")
    if not instead and isinstance(python, type) and python.__module__ != "builtins":
        instead = f"@dataclass above class {python.__name__}"
    return UnusableTypeError(f"{shown(annotation)} has no counterpart in FTL: write {instead or 'one of ' + _KNOWN}")


def shown(annotation: Any) -> str:
    """An annotation for messages, about as it was written."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and origin is not types.UnionType:
        return f"{origin.__qualname__}[{', '.join(map(shown, typing.get_args(annotation)))}]"
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return " | ".join("None" if each is type(None) else shown(each) for each in typing.get_args(annotation))
    return repr(annotation)


def reachable(roots: Iterable[Type]) -> list[Declared]:
    """The types of this module in `roots` and in their parts; each comes before the types that it contains."""
    found: dict[Any, Declared] = {}
    seen: set[int] = set()
    waiting = [*roots][::-1]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        inner = [*part.parts()]
        if isinstance(part, Declared) and part.home is None and part.identity not in found:
            found[part.identity] = part.declaration
            inner += part.declared_parts()
        waiting.extend(inner[::-1])
    return list(found.values())
