# SPDX-License-Identifier: Apache-2.0
"""
JSON text, and how an error speaks of a value in it.

An error carries the path to the value that is wrong. It is put together on the way up, so that a value that is
right costs nothing for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

# How much of a peer's text an error repeats.
QUOTED_MAX = 60
DEPTH_MAX = 100
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


# The reasons that a Mismatch has: the same in every language, as are the paths. tests/vectors/json_values.json has them
# by example; the words of a problem are this SDK's own.
NOT_JSON = "NOT_JSON"
WRONG_TYPE = "WRONG_TYPE"
INVALID_VALUE = "INVALID_VALUE"
INVALID_KEY = "INVALID_KEY"
UNKNOWN_VARIANT = "UNKNOWN_VARIANT"
UNKNOWN_FIELD = "UNKNOWN_FIELD"
MISSING_FIELD = "MISSING_FIELD"
DUPLICATE_KEY = "DUPLICATE_KEY"


class Mismatch(ValueError):  # noqa: N818 (it is not always an error)
    """A value does not fit its type: `code` is the reason, `path` leads to the value."""

    def __init__(self, problem: str, path: str = "", code: str = WRONG_TYPE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.code = code

    def within(self, outer: str) -> Mismatch:
        """The same, seen from a container: `outer` is a field, "[3]", or what the whole is called."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, outer + dot + self.path, self.code)

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class Doubled(dict[str, Any]):
    """An object in which a name comes twice: any JSON may have it, and no type but Any. `name` is the first such."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.name = next(name for index, name in enumerate(names) if name in names[:index])


def single(value: Any, expected: str, step: Callable[[str], str]) -> dict[str, Any]:
    """An object in which each name comes once."""
    if type(value) is Doubled:
        raise Mismatch("the name is there twice", step(value.name), DUPLICATE_KEY)
    if type(value) is not dict:
        raise Mismatch(f"expected {expected}, got {kind(value)}")
    return value


def parse_json(body: bytes) -> Any:
    """Strict where json is not: no NaN, no Infinity, no half of a character, no NUL, and no more than 100 deep."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        if _SURROGATE.search(body):
            write_json(value)  # refuses one that is not half of a pair
    except RecursionError:
        raise Mismatch(f"expected JSON, got one that is nested deeper than {DEPTH_MAX}", code=NOT_JSON) from None
    except ValueError as error:
        too_long = "integer string conversion" in str(error)  # a number of more than 4,300 digits
        raise Mismatch(f"expected JSON: {error}", code=INVALID_VALUE if too_long else NOT_JSON) from None
    if b"\\u0000" in body and _NUL.search(body):
        raise Mismatch("expected JSON: a NUL in a string", code=NOT_JSON)
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX and depth(body) > DEPTH_MAX:
        raise Mismatch(f"expected JSON, got one that is nested deeper than {DEPTH_MAX}", code=NOT_JSON)
    return value


def depth(body: bytes) -> int:
    """Of a text that is JSON."""
    brackets = body.translate(None, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets or b"\\" in brackets:  # there are some in strings
        brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def write_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else Doubled(pairs)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def kind(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null" if value is None else "object")


def quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= QUOTED_MAX else text[:QUOTED_MAX] + "…"


def field_step(name: str) -> str:
    """A field's name as a step of a path."""
    return name


def key_step(name: str) -> str:
    """A map's key as a step of a path."""
    return f"[{quoted(name)}]"
