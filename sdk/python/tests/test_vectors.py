# SPDX-License-Identifier: Apache-2.0
"""What is said of JSON that does not fit: the code and the path that every language promises."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import table

from ftl._annotations import reachable, type_of
from ftl._json import Mismatch, write_json
from ftl._schema import declaration
from ftl._types import read

FILE = Path(__file__).parents[3] / "tests" / "vectors" / "json_values.json"
TABLE = json.loads(FILE.read_text())
BY_NAME = {type_of(python).name("m"): python for python in table.TYPES}


@pytest.mark.parametrize("vector", TABLE["vectors"], ids=lambda vector: f"{vector['type']} {vector['value'][:40]}")
def test_vector(vector: dict[str, Any]) -> None:
    root = vector.get("as", "request")
    typed = type_of(BY_NAME[vector["type"]], strict=root == "request")
    body = vector["value"].encode()
    if vector["verdict"] == "valid":
        value = read(typed, body, root)
        # What was read can be written, and is the same then.
        assert read(typed, write_json(typed.encode(value)), root) == value
        return
    with pytest.raises(Mismatch) as caught:
        read(typed, body, root)
    assert caught.value.code == vector["code"], str(caught.value)
    if "path" in vector:
        assert caught.value.path == vector["path"], str(caught.value)


def test_bytes_that_are_no_text() -> None:
    for text in (b'"\xc3"', b'"\xed\xa0\x80"', b'"\0"'):
        with pytest.raises(Mismatch) as caught:
            read(type_of(str), text, "request")
        assert (caught.value.code, caught.value.path) == ("NOT_JSON", "request")


def test_the_types_are_declared_as_the_table_has_them() -> None:
    """Each declaration of m, with blanks and order left aside."""
    written = {squeezed(line) for line in TABLE["modules"]["m"][1:-1]}
    roots = [type_of(python) for python in table.TYPES]
    made = {squeezed(" ".join(declaration("m", each, False))) for each in reachable(roots)}
    assert made == written


def squeezed(text: str) -> str:
    # Within the module, C's text leaves its name out.
    return re.sub(r"\bm\.", "", " ".join(text.split()))
