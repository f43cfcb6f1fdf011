# SPDX-License-Identifier: Apache-2.0
"""
Reads and writes JSON text, and describes errors in it.

An error contains the path to the wrong value. The path is built while the error propagates, so that a correct value
does not pay for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

# Number of characters of a peer's text that an error repeats.
QUOTED_MAX = 60
DEPTH_MAX = 100
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


# The codes of a Mismatch. Codes and paths are the same in every language, as tests/vectors/json_values.json shows by
# example; the text of a problem is this SDK's own.
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
        """The same error with `outer` in front of its path: a field, "[3]", or the name of the whole value."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, outer + dot + self.path, self.code)

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class Doubled(dict[str, Any]):
    """A JSON object with a duplicate key, which only Any accepts. `name` is the first duplicate key."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                self.name = name
                break
            seen.add(name)


def single(value: Any, expected: str, step: Callable[[str], str]) -> dict[str, Any]:
    """Checks that a value is an object without duplicate keys."""
    if type(value) is Doubled:
        raise Mismatch("the key occurs twice", step(value.name), DUPLICATE_KEY)
    if type(value) is not dict:
        raise Mismatch(f"expected {expected}, got {kind(value)}")
    return value


def parse_json(body: bytes) -> Any:
    """Stricter than json: refuses NaN, Infinity, lone surrogates, NUL, and a nesting deeper than DEPTH_MAX."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        if _SURROGATE.search(body):
            write_json(value)  # refuses lone surrogates
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
    """The nesting depth of a valid JSON text."""
    brackets = body.translate(None, _NO_BRACKETS).replace(b'""', b"")
    if b'"' in brackets or b"\\" in brackets:  # strings may contain brackets, too
        brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def write_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else Doubled(pairs)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def kind(value: Any) -> str:
    """The JSON type of a value, by name."""
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
