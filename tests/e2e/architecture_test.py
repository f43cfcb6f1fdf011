# SPDX-License-Identifier: Apache-2.0
"""ARCHITECTURE.md names files, folders and functions; each exists, and each function in the file said to have it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"`([^`]+)`")
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
FOLDERS = ("src/", "sdk/", "tests/", "script/", "include/", "proto/", "docs/")


def quoted():
    return QUOTED.findall(TEXT.replace("```", ""))


def test_every_path_exists():
    paths = [name for name in quoted() if name.startswith(FOLDERS)]
    assert len(paths) > 80
    assert [path for path in paths if not (ROOT / path.split()[0]).exists()] == []


def test_every_function_stands_in_the_file_said_to_have_it():
    pairs = re.findall(r"`(\w+)\(\)` of\s+`([^`]+)`", TEXT)
    functions = [name for name in quoted() if name.endswith("()")]
    assert [name + "()" for name, _ in pairs] == functions, "write each as `function()` of `file`"
    assert len(pairs) > 20
    for function, path in pairs:
        definition = re.compile(rf"^\w[^\n;]*\b{function}\([^;{{]*\) {{$", re.M)
        assert definition.search((ROOT / path).read_text()), f"{path} does not define {function}"


def test_every_folder_of_the_source_is_in_the_table():
    folders = {f"src/{path.name}" for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders - set(quoted()) == set()


def test_it_fits_on_a_few_pages():
    assert len(TEXT.splitlines()) <= 150
