# SPDX-License-Identifier: Apache-2.0
"""Values and their JSON, each type at its edges."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from ftl._annotations import type_of
from ftl._json import Mismatch, parse_json, write_json
from ftl._types import read


class Mood(StrEnum):
    HAPPY = "happy"
    SAD = "sad"


class Level(IntEnum):
    LOW = 0
    HIGH = 1


class Plain(Enum):
    A = "a"


@dataclass
class Positive:
    value: int

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise ValueError("the value is positive")


@dataclass
class Tree:
    name: str
    children: "list[Tree]"


CASES = [
    (int, b"-9223372036854775808", -(2**63)),
    (int, b"9007199254740993", 2**53 + 1),
    (float, b"1", 1.0),
    (float, b"1e300", 1e300),
    (bool, b"false", False),
    (str, '"\\u0001é😀"'.encode(), "\1é😀"),
    (str, rb'"\ud83d\ude00"', "😀"),
    (bytes, b'""', b""),
    (bytes, b'"/+8="', b"\xff\xef"),
    (datetime, b'"2024-02-29T23:59:59z"', datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    (datetime, b'"0001-01-01t00:00:00-00:00"', datetime(1, 1, 1, tzinfo=UTC)),
    (Mood, b'"sad"', Mood.SAD),
    (Level, b"1", Level.HIGH),
    (list[int | None], b"[1,null]", [1, None]),
    (dict[str, list[bool]], b'{"":[true]}', {"": [True]}),
    (Any, b'{"a":[1.5,null,"x"]}', {"a": [1.5, None, "x"]}),
    (Tree, b'{"name":"a","children":[{"name":"b","children":[]}]}', Tree("a", [Tree("b", [])])),
]
# Beside tests/vectors/json_values.json.
REFUSED = [
    (int, b"1" * 5000, "x: expected JSON: Exceeds the limit"),
    (Any, b"1" * 5000, "x: expected JSON: Exceeds the limit"),
    (Mood, b'"hapy"', 'x: "hapy" is not a Mood; did you mean "happy"?'),
    (Level, b"true", "x: expected Int, got boolean"),
    (Level, b"2", "x: 2 is not a Level; there is 0, 1"),
    (list[Tree], b'[{"name":"","children":[{"name":1}]}]', "x[0].children[0].name: expected String, got number"),
    (Positive, b'{"value":0}', "x: the value is positive"),
    (list[Positive], b'[{"value":1},{"value":0}]', "x[1]: the value is positive"),
    (Any, b"[Infinity]", "x: expected JSON: Infinity is not a JSON number"),
]


@pytest.mark.parametrize(("python", "text", "value"), CASES)
def test_json_becomes_a_value_and_back(python: Any, text: bytes, value: object) -> None:
    decoded = type_of(python).decode(parse_json(text))
    assert decoded == value
    assert type(decoded) is type(value)
    again = parse_json(write_json(type_of(python).encode(decoded)))
    assert type_of(python).decode(again) == value


@pytest.mark.parametrize(("python", "text", "problem"), REFUSED)
def test_what_does_not_fit_is_refused(python: Any, text: bytes, problem: str) -> None:
    with pytest.raises(Mismatch) as caught:
        read(type_of(python), text, "x")
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("python", "value", "problem"),
    [
        (int, True, "expected Int, got bool"),
        (int, 2**63, "64 bits"),
        (float, math.nan, "expected Float"),
        (float, 10**400, "too large"),
        (str, None, "expected String, got NoneType"),
        (bytes, "text", "expected Bytes, got str"),
        (datetime, datetime(2024, 1, 1), "without its zone"),
        (Mood, "happy", "expected Mood, got str"),
        (list[int], [1, "2"], "x[1]: expected Int, got str"),
        (list[int], (1,), "expected a list, got tuple"),
        (dict[str, int], {1: 1}, "x: a key: expected String, got int"),
        (Tree, {"name": ""}, "expected Tree, got dict"),
        (Tree, Tree("a", [Tree(1, [])]), "x.children[0].name: expected String, got int"),  # type: ignore[arg-type]
        (Any, {"a": {1, 2}}, 'x["a"]: a set has no form in JSON'),
        (Any, [math.inf], "x[0]: expected Float"),
    ],
)
def test_what_cannot_be_sent_is_refused(python: Any, value: object, problem: str) -> None:
    with pytest.raises(Mismatch) as caught:
        type_of(python).encode(value)
    assert problem in str(caught.value.within("x"))


def test_an_untyped_value_is_sent_by_what_it_is() -> None:
    at = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    value = [Tree("a", []), Plain.A, Level.HIGH, b"\0", at, (1, 2), 2**70]
    expected = [{"name": "a", "children": []}, "a", 1, "AA==", "2024-01-01T00:00:00-03:30", [1, 2], 2**70]
    assert type_of(Any).encode(value) == expected


def test_a_zone_of_odd_seconds_is_sent_as_utc() -> None:
    at = datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=1172)))
    assert type_of(datetime).encode(at) == "1899-12-31T23:40:28Z"
