# SPDX-License-Identifier: Apache-2.0
"""What is said of JSON that does not fit: word for word what C modules, `ftl call` and `ftl build` say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import table

from ftl._annotations import reachable, type_of
from ftl._check import EXPLAIN_MAX, explain, read
from ftl._json import Mismatch, parse_json
from ftl._schema import declaration
from ftl._types import Type

FILE = Path(__file__).parents[3] / "tests" / "unit" / "schema" / "json_cases.json"
TABLE = json.loads(FILE.read_text())
BY_NAME = {type_of(python).name("m"): python for python in table.TYPES}
Case = tuple[str, str, str | None]


def asked(case: list[str]) -> tuple[Type, bytes, str, bool]:
    lenient = len(case) > 3
    return type_of(BY_NAME[case[0]], not lenient), case[1].encode(), "response" if lenient else "request", lenient


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: f"{case[0]} {case[1][:40]}")
def test_both_sides_say_the_same(case: list[Any]) -> None:
    typed, text, root, lenient = asked(case)
    problem = explain(typed, text, "m", root, lenient)
    assert (None if problem is None else str(problem)) == case[2]
    if case[2] is None:
        value = read(typed, text, "m", root, lenient)
        # And back: what was read can be written, and is the same then.
        if "1e999" in case[1]:
            return  # what has no number in Python
        again = json.dumps(typed.encode(value)).encode()
        assert read(typed, again, "m", root, lenient) == value
        return
    with pytest.raises(Mismatch) as caught:
        read(typed, text, "m", root, lenient)
    assert str(caught.value) == case[2]
    # The fast way refuses by itself: a text too long to be explained is no less checked.
    with pytest.raises(Mismatch):
        typed.decode(parse_json(text))


def test_a_long_text_is_refused_in_fewer_words() -> None:
    text = b'[{"a":"x"}' + b" " * EXPLAIN_MAX + b"]"
    with pytest.raises(Mismatch) as caught:
        read(type_of(list[dict[str, int]]), text, "m", "request")
    assert str(caught.value) == 'request[0]["a"]: expected Int, got string'


def test_bytes_that_are_no_text() -> None:
    for text in (b'"\xc3"', b'"\xed\xa0\x80"', b'"\0"'):
        with pytest.raises(Mismatch, match="request: not JSON at line 1, column 1: not UTF-8"):
            read(type_of(str), text, "m", "request")


def test_a_long_path_loses_its_beginning() -> None:
    text = b'{"name":"x","next":' * 90 + b'{"name":1}' + b"}" * 90
    with pytest.raises(Mismatch) as caught:
        read(type_of(table.Item), text, "m", "request")
    assert str(caught.value).startswith("….next.next")
    assert str(caught.value).endswith(".next.name: expected String, got number")


def test_the_types_are_declared_as_the_table_has_them() -> None:
    """Each declaration of m, with blanks and order left aside."""
    written = {squeezed(line) for line in TABLE["m"][1:-1]}
    roots = [type_of(python) for python in table.TYPES]
    made = {squeezed(" ".join(declaration("m", each, False))) for each in reachable(roots)}
    assert made == written


def squeezed(text: str) -> str:
    # Within the module, C's text leaves its name out.
    return re.sub(r"\bm\.", "", " ".join(text.split()))
