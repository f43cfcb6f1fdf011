# SPDX-License-Identifier: Apache-2.0
"""
JSON text, and how an error speaks of a value in it.

An error carries the path to the value that is wrong. It is put together on the way up, so that a value that is
right costs nothing for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# How much of a peer's text an error repeats.
QUOTED_MAX = 60
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Mismatch(ValueError):  # noqa: N818 (it is not always an error)
    """A value does not fit its type; `path` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, outer: str) -> Mismatch:
        """The same, seen from a container: `outer` is a field, "[3]", or what the whole is called."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, outer + dot + self.path)

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def parse_json(body: bytes) -> Any:
    """Strict where json is not: no NaN, no Infinity, no name twice, no half of a character."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
        if _SURROGATE.search(body):
            write_json(value)  # refuses one that is not half of a pair
        return value
    except RecursionError:
        raise Mismatch("expected JSON, got one that is nested too deep") from None
    except ValueError as error:
        raise Mismatch(f"expected JSON: {error}") from None


def write_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {quoted(twice)} comes twice in an object")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def kind(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= QUOTED_MAX else text[:QUOTED_MAX] + "…"


def step(name: str) -> str:
    """A field's name as a step of a path."""
    return name if name.isidentifier() and len(name) <= QUOTED_MAX else f"[{quoted(name)}]"


def near(name: Any, names: Iterable[Any]) -> str:
    """What a person may have meant by `name`."""
    import difflib  # only an error needs it

    texts = [str(known) for known in names]
    close = difflib.get_close_matches(str(name)[:QUOTED_MAX], texts, n=1)
    if close:
        return f"did you mean {quoted(close[0])}?"
    return "there is " + (", ".join(texts[:10]) or "none") + (", …" if len(texts) > 10 else "")
