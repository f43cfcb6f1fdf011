# SPDX-License-Identifier: Apache-2.0
"""Values of all types, made at random: what is written is read again; any other text is read, or refused in order."""

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftl._annotations import type_of
from ftl._declared import is_variant
from ftl._json import Mismatch, write_json
from ftl._types import INT_MAX, INT_MIN, read

FILE = Path(__file__).parents[3] / "tests" / "vectors" / "json_values.json"
# Derandomized: a failure comes again, and no run differs from the one before.
ORDERLY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

CODES = {vector.get("code") for vector in json.loads(FILE.read_text())["vectors"]} - {None}

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
INT = st.integers(INT_MIN, INT_MAX)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
ZONE = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIME = st.datetimes(
    min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=ZONE, allow_imaginary=False
)
MOOD = st.sampled_from(table.Mood)
ITEM: Any = st.deferred(lambda: st.builds(table.Item, TEXT, st.none() | FLOAT, st.none() | ITEM))
CIRCLE = st.builds(table.Circle, FLOAT)
DRAWING: Any = st.deferred(lambda: st.builds(table.Drawing, st.lists(FIGURE, max_size=3)))
FIGURE: Any = CIRCLE | ITEM | st.builds(table.Group, DRAWING)
SHAPE = CIRCLE | st.builds(table.Named, st.lists(MOOD, max_size=3)) | st.just(table.Nothing())
VALUES: list[tuple[Any, Any]] = [
    (int, INT),
    (float, FLOAT),
    (str, TEXT),
    (bytes, st.binary(max_size=9)),
    (datetime, TIME),
    (int | None, st.none() | INT),
    (list[bool], st.lists(st.booleans(), max_size=4)),
    (dict[str, float], st.dictionaries(TEXT, FLOAT, max_size=4)),
    (dict[int, str], st.dictionaries(INT, TEXT, max_size=4)),
    (table.Levels, st.dictionaries(st.sampled_from(table.Level), st.booleans())),
    (table.Moods, st.dictionaries(MOOD, st.booleans())),
    (table.Item, ITEM),
    (table.Order, st.builds(table.Order, st.lists(ITEM, max_size=3), st.dictionaries(TEXT, INT), st.none() | TEXT)),
    (table.Page[table.Mood], st.builds(table.Page, st.lists(MOOD), st.none() | st.builds(table.Box, MOOD))),
    (table.Both[int, table.Item], st.builds(table.Both, INT, st.builds(table.Box, ITEM))),
    (table.Shape, SHAPE),
    (table.Drawing, DRAWING),
]
TYPED = st.sampled_from(VALUES).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))
JSON: Any = st.recursive(
    st.none() | st.booleans() | INT | FLOAT | TEXT | st.sampled_from(["name", "Circle", "happy", "AA=="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            TEXT | st.sampled_from(["name", "value", "items", "counts", "next", "a", "b", "1"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@ORDERLY
@given(TYPED)
def test_what_is_written_is_read_again(pair: tuple[Any, Any]) -> None:
    typed, value = type_of(pair[0]), pair[1]
    text = write_json(typed.encode(value))
    again = read(typed, text, "request")
    assert again == value
    assert write_json(typed.encode(again)) == text


@ORDERLY
@given(TYPED, st.data())
def test_a_text_that_is_nearly_one_is_read_or_refused(pair: tuple[Any, Any], data: st.DataObject) -> None:
    """One character is left out, put in or replaced."""
    typed = type_of(pair[0])
    text = write_json(typed.encode(pair[1]))
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from([b"", b'"', b"0", b"}", b"]", b",", b"\\", b"e", b"x", b"\n", b"\xff", b"null"]))
    read_or_refuse(pair[0], text[:at] + put + text[at + data.draw(st.integers(0, 1)) :])


@ORDERLY
@given(st.sampled_from(table.TYPES), JSON)
def test_any_json_is_read_or_refused(python: Any, value: Any) -> None:
    read_or_refuse(python, json.dumps(value).encode())


def read_or_refuse(python: Any, text: bytes) -> None:
    typed = type_of(python)
    try:
        value = read(typed, text, "request")
    except Mismatch as mismatch:
        refused = (mismatch.code in CODES, mismatch.path.startswith("request"))
    else:
        refused = (True, read(typed, write_json(typed.encode(value)), "request") == value)
    assert refused == (True, True), text


def test_every_type_of_the_table_has_values_here() -> None:
    """Of the declared ones: a new one is not left out."""
    here = {typed for typed, _ in VALUES}
    reached = {table.Box, table.Thing, table.Refs}  # within others, or of text alone
    for name, python in vars(table).items():
        if dataclasses.is_dataclass(python) and not is_variant(python) and not getattr(python, "__parameters__", ()):
            assert python in here | reached, name
