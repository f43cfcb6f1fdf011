# SPDX-License-Identifier: Apache-2.0
"""
Why a JSON text is no value of a type, said as src/schema/json_check.c says it: one walk over text and type at once, so
that what comes first in the text is what is told. tests/json_cases.json holds both to the same words.

A text is read by Python's json and the types' decode, which are fast; it comes here when they refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ftl._annotations import Anything, type_of
from ftl._declared import Alias, Data, Enum, Param, Sum
from ftl._json import Mismatch, parse_json
from ftl._nearest import nearest
from ftl._scan import Kind, NotJsonError, Scanner, unescape
from ftl._types import (
    INT_MAX,
    INT_MIN,
    Array,
    Bytes,
    Float,
    Int,
    Map,
    Optional,
    String,
    Time,
    Type,
    Unit,
    VerbName,
    base64_content,
    is_verb_name,
    time_of,
)

PATH_TEXT_MAX = 400
VALUE_TEXT_MAX = 60
LIST_TEXT_MAX = 240
TYPE_TEXT_MAX = 196
# Bytes of a text that is walked over: a walk takes some 10 s for this much, and longer ones get a shorter answer.
EXPLAIN_MAX = 4 << 20

Path = tuple[bytes, ...]


def read(typed: Type, body: bytes, module: str, root: str, lenient: bool = False) -> Any:
    """The value that `body` holds; Mismatch, with its whole path, when there is none. `module` is whose type it is."""
    try:
        return typed.decode(parse_json(body))
    except Mismatch as mismatch:
        problem = explain(typed, body, module, root, lenient) if len(body) <= EXPLAIN_MAX else None
        if problem is None:
            raise mismatch.within(root) from mismatch.__cause__
        raise problem from None


def explain(typed: Type, body: bytes, module: str, root: str, lenient: bool) -> Mismatch | None:
    """None: it is a value of the type, as far as the type alone tells."""
    try:
        Checker(body, module, root, lenient).check_all(typed)
    except Mismatch as problem:
        return problem
    return None


@dataclass(frozen=True)
class Scope:
    """What the type parameters of a generic stand for, and where that was written."""

    arguments: Mapping[Any, Type] = field(default_factory=dict)
    outer: Scope | None = None


class Checker:
    def __init__(self, body: bytes, module: str, root: str, lenient: bool) -> None:
        self.scanner = Scanner(body)
        self.module = module
        self.root = root
        self.lenient = lenient

    def refuse(self, path: Path, problem: str) -> NoReturn:
        raise Mismatch(problem, shown_path(self.root, path))

    def check_all(self, typed: Type) -> None:
        try:
            self.scanner.start()
            self.check(typed, Scope(), ())
            self.scanner.finish()
        except NotJsonError as problem:
            self.refuse((), str(problem))

    def check(self, typed: Type, scope: Scope, path: Path) -> None:
        try:
            self.check_kind(typed, scope, path)
        except NotJsonError as problem:
            self.refuse(path, str(problem))

    def check_kind(self, typed: Type, scope: Scope, path: Path) -> None:
        match typed:
            case Optional():
                if self.scanner.peek() is Kind.NULL:
                    self.scanner.null()
                else:
                    self.check(typed.inner, scope, path)
            case Array():
                self.check_array(typed, scope, path)
            case Map():
                self.check_map(typed, scope, path)
            case Data():
                self.check_data(typed, scope, path)
            case Sum():
                self.check_sum(typed, path)
            case Alias():
                self.check(typed.target, Scope(), path)
            case Param():
                assert scope.outer is not None
                self.check(scope.arguments[typed.variable], scope.outer, path)
            case Enum():
                self.check_enum(typed, path)
            case Anything():
                self.scanner.skip()
            case _:
                self.check_plain(typed, path)

    def check_plain(self, typed: Type, path: Path) -> None:
        match typed:
            case Int():
                self.read_int("Int", path)
            case Float():
                self.check_float(path)
            case Time():
                expected = 'Time, as in "2026-01-02T03:04:05Z"'
                text = self.read_string(expected, path)
                if time_of(text.decode()) is None:
                    self.refuse(path, f"expected {expected}, got {quote(text)}")
            case Bytes():
                text = self.read_string("Bytes in base64", path)
                if base64_content(text.decode()) is None:
                    self.refuse(path, f"expected Bytes in base64, got {quote(text)}")
            case VerbName():
                expected = f'the name of a verb, as in "{typed.like}"'
                text = self.read_string(expected, path)
                if not is_verb_name(text.decode()):
                    self.refuse(path, f"expected {expected}, got {quote(text)}")
            case String():
                self.read_string("String", path)
            case Unit():
                self.check_unit(path)
            case _:
                self.expect(Kind.BOOLEAN, "Bool", path)
                self.scanner.boolean()

    def expect(self, kind: Kind, expected: str, path: Path) -> None:
        found = self.scanner.peek()
        if found is not kind:
            self.refuse(path, f"expected {expected}, got {found.value}")

    def read_string(self, expected: str, path: Path) -> bytes:
        self.expect(Kind.STRING, expected, path)
        return unescape(self.scanner.string())

    def read_int(self, expected: str, path: Path) -> int:
        self.expect(Kind.NUMBER, expected, path)
        digits = self.scanner.number()
        whole = not set(digits) & set(b".eE")
        number = int(digits) if whole and len(digits) <= len(str(INT_MIN)) else INT_MAX + 1
        if not INT_MIN <= number <= INT_MAX:
            why = ", which is over 64 bits" if whole else ""
            self.refuse(path, f"expected {expected}, got {digits[:VALUE_TEXT_MAX].decode()}{why}")
        return number

    def check_float(self, path: Path) -> None:
        self.expect(Kind.NUMBER, "Float", path)
        digits = self.scanner.number()
        if abs(float(digits)) == float("inf"):
            self.refuse(path, f"expected Float, got {digits[:VALUE_TEXT_MAX].decode()}, which is too large")

    def check_array(self, typed: Array, scope: Scope, path: Path) -> None:
        self.expect(Kind.ARRAY, self.name(typed), path)
        self.scanner.enter()
        index = 0
        while self.scanner.next(index == 0):
            self.check(typed.element, scope, (*path, b"[%d]" % index))
            index += 1

    def check_map(self, typed: Map, scope: Scope, path: Path) -> None:
        self.expect(Kind.OBJECT, self.name(typed), path)
        self.scanner.enter()
        keys: set[bytes] = set()
        while (raw := self.scanner.next_key(not keys)) is not None:
            key = unescape(raw)
            self.check_key(typed.key.base(), key, path)
            inner = (*path, b"[" + quote(raw).encode() + b"]")
            if key in keys:
                self.refuse(inner, "the key is there twice")
            keys.add(key)
            self.check(typed.value, scope, inner)

    def check_key(self, base: Type, key: bytes, path: Path) -> None:
        number: int | None = None
        if isinstance(base, Int) or (isinstance(base, Enum) and isinstance(base.value_type, Int)):
            number = key_number(key)
            if number is None:
                self.refuse(path, f"expected a key that is an Int, got {quote(key)}")
            if str(number).encode() != key:
                self.refuse(path, f'expected the key "{number}", got {quote(key)}')
        if not isinstance(base, Enum) or (key.decode() if number is None else number) in base.members:
            return
        if number is None:
            self.refuse_variant(list(base.members), key, path)
        self.refuse(path, f"expected a key that is {listed(base.members)}, got {quote(key)}")

    def check_data(self, typed: Data, scope: Scope, path: Path) -> None:
        self.expect(Kind.OBJECT, typed.label, path)
        self.scanner.enter()
        declaration = typed.declaration
        inner = Scope(dict(zip(typed.params, typed.arguments, strict=True)), scope)
        seen: set[str] = set()
        first = True
        while (raw := self.scanner.next_key(first)) is not None:
            first = False
            name = unescape(raw).decode()
            known = declaration.fields.get(name)
            if known is None:
                self.unknown(name, declaration.fields, path)
                continue
            if name in seen:
                self.refuse((*path, step(name)), "the field is there twice")
            seen.add(name)
            self.check(known.type, inner, (*path, step(name)))
        for name, known in declaration.fields.items():
            if name not in seen and not may_be_missing(known.type, inner):
                self.refuse((*path, step(name)), f"expected {self.name(known.type)}, but it is missing")

    def unknown(self, name: str, names: Iterable[str], path: Path) -> None:
        if not self.lenient:
            self.refuse(path, f"unknown field {quote(name.encode())}{hint(name.encode(), names)}")
        self.scanner.skip()

    def check_unit(self, path: Path) -> None:
        self.expect(Kind.OBJECT, "Unit, which is {}", path)
        self.scanner.enter()
        first = True
        while (raw := self.scanner.next_key(first)) is not None:
            first = False
            self.unknown(unescape(raw).decode(), (), path)

    def check_enum(self, typed: Enum, path: Path) -> None:
        of_int = isinstance(typed.value_type, Int)
        self.expect(Kind.NUMBER if of_int else Kind.STRING, listed(typed.members), path)
        if of_int:
            number = self.read_int(typed.label, path)
            if number not in typed.members:
                self.refuse(path, f"expected {listed(typed.members)}, got {number}")
        else:
            text = self.read_string(typed.label, path)
            if text.decode() not in typed.members:
                self.refuse_variant(list(typed.members), text, path)

    def refuse_variant(self, values: list[str], text: bytes, path: Path) -> NoReturn:
        self.refuse(path, f"expected {listed(values)}, got {quote(text)}{hint(text, values)}")

    def check_sum(self, typed: Sum, path: Path) -> None:
        expected = f'{typed.label}, {{"name": …, "value": …}}'
        self.expect(Kind.OBJECT, expected, path)
        self.scanner.enter()
        variant: Type | None = None
        value_at: int | None = None
        first = True
        while (raw := self.scanner.next_key(first)) is not None:
            first = False
            key = unescape(raw)
            if key == b"name":
                if variant is not None:
                    self.refuse((*path, b".name"), "the field is there twice")
                variant = self.read_variant(typed, (*path, b".name"))
                if value_at is not None:
                    after, self.scanner.at = self.scanner.at, value_at
                    self.check(variant, Scope(), (*path, b".value"))
                    self.scanner.at = after
            elif key == b"value":
                if value_at is not None:
                    self.refuse((*path, b".value"), "the field is there twice")
                value_at = self.scanner.at
                self.check(variant or type_of(Any), Scope(), (*path, b".value"))
            elif self.lenient:
                self.scanner.skip()
            else:
                self.refuse(path, f'unknown field {quote(key)}; a {typed.label} has "name" and "value"')
        if variant is None or value_at is None:
            self.refuse(path, f'expected {expected}, but "{"value" if variant else "name"}" is missing')

    def read_variant(self, typed: Sum, path: Path) -> Type:
        try:
            self.expect(Kind.STRING, listed(typed.variants), path)
            text = unescape(self.scanner.string())
        except NotJsonError as problem:
            self.refuse(path, str(problem))
        variant = typed.variants.get(text.decode())
        return variant or self.refuse_variant(list(typed.variants), text, path)

    def name(self, typed: Type) -> str:
        return cut(typed.name(self.module).encode(), TYPE_TEXT_MAX)


def may_be_missing(typed: Type, scope: Scope) -> bool:
    while isinstance(typed, Param | Alias):
        if isinstance(typed, Alias):
            typed = typed.target
        else:
            assert scope.outer is not None
            typed, scope = scope.arguments[typed.variable], scope.outer
    return isinstance(typed, Optional)


def key_number(key: bytes) -> int | None:
    digits = key.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 1000:
        return None
    number = int(key)
    return number if INT_MIN <= number <= INT_MAX else None


def step(name: str) -> bytes:
    return b"." + name.encode()


def shown_path(root: str, path: Path) -> str:
    """The end of a long path says more than its beginning."""
    text = b""
    for each in (*path[::-1], root.encode()):
        if PATH_TEXT_MAX - 1 - len(text) < len(each) + 4:
            return ("…".encode() + text).decode()
        text = each + text
    return text.decode()


def cut(text: bytes, most: int) -> str:
    if len(text) <= most:
        return text.decode(errors="replace")
    return text[:most].decode(errors="ignore") + "…"


def quote(text: bytes) -> str:
    plain = "".join("?" if c < " " or c == "\x7f" else c for c in cut(text, VALUE_TEXT_MAX))
    return f'"{plain}"'


def listed(values: Iterable[Any]) -> str:
    r""" "happy" or "sad", as many as fit."""
    names = [quote(value.encode()) if isinstance(value, str) else str(value) for value in values]
    text = ""
    for index, name in enumerate(names):
        separator = "" if index == 0 else " or " if index + 1 == len(names) else ", "
        if len(text.encode()) + len(name.encode()) + 10 > LIST_TEXT_MAX:
            return text + ", …"
        text += separator + name
    return text


def hint(text: bytes, names: Iterable[str]) -> str:
    found = nearest(text, (name.encode() for name in names))
    return "" if found is None else f'; did you mean "{found.decode()}"?'
