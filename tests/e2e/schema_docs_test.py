# SPDX-License-Identifier: Apache-2.0
"""The example, the table of changes and the limits of docs/schema.md. tutorial_test.py runs its commands."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import FTL, LONG

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "schema.md").read_text()
COLUMNS = ("request", "answer", "stored")

# For each row of the table: a declaration D before and after. "#" is a number, so that names are not shared.
WIDER = [
    ("data D# { a Int }", "data D# { a Int? }"),
    ("data D# { a Int }", "data D# { a Any }"),
    ("data D# { a [Bool] }", "data D# { a [Bool?] }"),
    ("data D# { a Time }", "data D# { a String }"),
    ("data D# { a Bytes }", "data D# { a String }"),
    ('data D# { a E# } enum E#: String { A = "a" }', 'data D# { a String } enum E#: String { A = "a" }'),
    ("data D# { a E# } enum E#: Int { A = 1 }", "data D# { a Int } enum E#: Int { A = 1 }"),
]
ROWS = {
    "field added, optional": [("data D# { b Int }", "data D# { b Int  a Int? }")],
    "field added, required": [("data D# { b Int }", "data D# { b Int  a Int }")],
    "field removed, optional": [("data D# { b Int  a Int? }", "data D# { b Int }")],
    "field removed, required": [("data D# { b Int  a Int }", "data D# { b Int }")],
    "`T` → `T?`, `T` → `Any`; `Time`, `Bytes`, enum of `String` → `String`; enum of `Int` → `Int`": WIDER,
    "the same backwards": [(new, old) for old, new in WIDER],
    "any other change of a type": [
        ("data D# { a Int }", "data D# { a Float }"),
        ("data D# { a [Int] }", "data D# { a [String] }"),
        ("data D# { a {String: Int} }", "data D# { a {Int: Int} }"),
        ("data D# { a Int }", "data D# { a [Int] }"),
    ],
    "variant added": [
        ("enum D#: Int { A = 1 }", "enum D#: Int { A = 1  B = 2 }"),
        ('enum D#: String { A = "a" }', 'enum D#: String { A = "a"  B = "b" }'),
        ("enum D# { A Int }", "enum D# { A Int  B Int }"),
    ],
    "variant removed": [
        ("enum D#: Int { A = 1  B = 2 }", "enum D#: Int { A = 1 }"),
        ("enum D# { A Int  B Int }", "enum D# { A Int }"),
    ],
    "value of a variant changed": [
        ("enum D#: Int { A = 1 }", "enum D#: Int { A = 2 }"),
        ('enum D#: String { A = "a" }', 'enum D#: String { A = "b" }'),
    ],
    "variant of a value renamed, fields or variants reordered, alias in place of its type, another type with the same structure": [
        ("enum D#: Int { A = 1 }", "enum D#: Int { B = 1 }"),
        ("data D# { a Int  b Int }", "data D# { b Int  a Int }"),
        ("enum D# { A Int  B Int }", "enum D# { B Int  A Int }"),
        ("data D# { a Int } typealias A# Int", "data D# { a A# } typealias A# Int"),
        ("data D# { a X# } data X# { x Int } data Y# { x Int }", "data D# { a Y# } data X# { x Int } data Y# { x Int }"),
    ],
}
USES = {"request": "export verb v#(D#) Unit", "answer": "export verb v#(Unit) D#", "stored": ""}
# The changes that the paragraph below the table lists.
BELOW = [
    ("export verb v#(Unit) Unit", "", {"callers"}),
    ("verb v#(Unit) Unit", "", set()),
    ("export typealias A# Int", "", {"callers"}),
    ("export data D# {}", "", {"callers", "stored data"}),
    ("data D# {}", "", {"stored data"}),
    ("enum D#: Int { A = 1 }", "", {"stored data"}),
    ("export verb v#(Unit) Unit", "verb v#(Unit) Unit", {"callers"}),
    ("export data D# {}", "data D# {}", {"callers"}),
    ("verb v#(Unit) Unit", "export verb v#(Unit) Unit", set()),
    ("", "export verb v#(Unit) Unit  data D# {}", set()),
    ("verb v#(Unit) Unit", "verb v#(Unit) Unit +word\n", set()),
    ("data D# {}", "// Words.\ndata D# {}", set()),
    ("data D# { a Int }  verb v#(D#) Unit", "data D# { a Int? }  verb v#(Unit) D#", set()),
    ("data D# { a Int }  data O# { d D# }  export verb v#(Unit) {String: [O#]}", "data D# { a Int? }  data O# { d D# }  export verb v#(Unit) {String: [O#]}", {"callers"}),
]


def run(folder, *arguments, endpoint="http://127.0.0.1:1"):
    environment = {**os.environ, "FTL_ENDPOINT": endpoint, "HOME": str(folder)}
    return subprocess.run([FTL, *arguments], cwd=folder, env=environment, text=True, capture_output=True, timeout=LONG)


@pytest.fixture
def compare(make_backplane, tmp_path):
    """Compares two lists of declarations. Returns for each index what it is unsafe for: callers, stored data."""
    backplane = make_backplane("--warm", "0", "--start-timeout", "1h", "--drain-timeout", "1s").start()

    def write(name, cases):
        lines = [text.replace("#", str(index)) for index, text in enumerate(cases)]
        (tmp_path / name).write_text("module m {\n" + "\n".join(lines) + "\n}\n")

    def compare(cases):
        write("m.ftl", [old for old, _ in cases])
        (tmp_path / "ftl.toml").write_text('module = "m"\nlanguage = "c"\ndeploy = ["main"]\n')
        # A program that never becomes alive, so that its deployment stays STARTING.
        (tmp_path / "main").write_text("#!/bin/sh\nexec sleep 1000\n")
        (tmp_path / "main").chmod(0o755)
        deployed = run(tmp_path, "deploy", "--no-wait", endpoint=backplane.endpoint)
        assert deployed.returncode == 0, deployed.stderr
        write("m.ftl", [new for _, new in cases])
        diff = run(tmp_path, "schema", "diff", "-o", "json", endpoint=backplane.endpoint)
        assert diff.returncode == 3, diff.stderr
        unsafe = [set() for _ in cases]
        for change in json.loads(diff.stdout)["changes"]:
            index = int(re.match(r"[A-Za-z]+(\d+)", change["path"]).group(1))
            unsafe[index] |= {who for who in ("callers", "stored data") if who in change["effect"]}
        return unsafe

    return compare


def rows_of_the_page():
    """(what changes, {column: safe}) for each row."""
    table = PAGE[PAGE.index("| change | in a request | in an answer | stored |") :].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        what, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert all(re.match(r"safe|\*\*unsafe\*\*", cell) for cell in cells), line
        yield what, dict(zip(COLUMNS, (cell.startswith("safe") for cell in cells), strict=True))


def test_the_table_of_changes(compare):
    rows = list(rows_of_the_page())
    assert {what for what, _ in rows} == set(ROWS)
    cases, said = [], []
    for what, safe in rows:
        for old, new in ROWS[what]:
            for column in COLUMNS:
                cases.append((f"{old} {USES[column]}", f"{new} {USES[column]}"))
                said.append((what, old, new, column, safe[column]))
    for (what, old, new, column, safe), unsafe in zip(said, compare(cases), strict=True):
        who = "stored data" if column == "stored" else "callers"
        assert (who not in unsafe) == safe, f"{what}: {old} → {new}, {column}"


def test_the_changes_below_the_table(compare):
    found = compare([(old, new) for old, new, _ in BELOW])
    for (old, new, expected), unsafe in zip(BELOW, found, strict=True):
        assert unsafe == expected, f"{old} → {new}"


def test_the_example_is_a_schema(tmp_path):
    text = re.search(r"^```ftl echo/echo.ftl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL).group(1)
    (tmp_path / "echo.ftl").write_text(text)
    (tmp_path / "ftl.toml").write_text('module = "echo"\n')
    built = run(tmp_path, "build")
    assert (built.returncode, built.stderr) == (0, "")


def test_the_limits_are_those_of_the_code():
    code = (ROOT / "src/schema/schema.h").read_text() + (ROOT / "src/schema/diagnostics.h").read_text()
    code += (ROOT / "src/schema/compare.h").read_text()
    limits = {name: eval(value) for name, value in re.findall(r"\bSCHEMA_(\w+_MAX) = ([\d <]+)", code)}
    said = " ".join(PAGE[PAGE.index("## Limits") :].split()).replace(",", "")
    assert limits["TEXT_MAX"] == 1 << 20 and "1 MiB of text" in said
    for name, words in {
        "NODES_MAX": "{} parts",
        "DECLS_MAX": "{} declarations",
        "MEMBERS_MAX": "{} fields or variants in one",
        "PARAMS_MAX": "{} type parameters",
        "DEPTH_MAX": "types {} deep",
        "DIAGNOSTICS_MAX": "{} errors shown",
        "CHANGES_MAX": "{} changes compared",
    }.items():
        assert words.format(limits[name]) in said, name
    assert f"at most {limits['NAME_MAX']}, and does not begin with a digit" in " ".join(PAGE.split())
