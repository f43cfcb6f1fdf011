# SPDX-License-Identifier: Apache-2.0
"""The tutorials in docs, and the modules of the README: the test writes their files, runs their commands and compares the
output with the page."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import BUILD, LONG, Backplane

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """The folder in which the tutorial is followed, with a running Backplane."""
    backplane = Backplane(tmp_path / "serve")
    backplane.folder.mkdir()
    backplane.start()
    place = tmp_path / "work"
    place.mkdir()
    yield place, backplane.endpoint
    backplane.clean_up()


def fits(printed, said):
    """Whether the output is the one of the page, in which "…" stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, said.split("…"))), printed.rstrip("\n"), re.DOTALL)


def commands(block):
    """The commands of a block, each with its expected output."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        yield command, said.rstrip("\n")


@pytest.mark.parametrize(
    ("name", "count"),
    [("tutorial-c.md", 15), ("tutorial-python.md", 16), ("schema.md", 16), ("without-an-sdk.md", 7), ("../README.md", 5)],
)
def test_the_tutorial_prints_what_it_says(folder, name, count):
    place, endpoint = folder
    # The layout of an installation: the program in bin, the headers in include.
    (place / "bin").mkdir()
    (place / "bin" / "ftl").symlink_to(BUILD / "ftl")
    (place / "include").symlink_to(DOCS.parent / "include")
    (place / "proto").symlink_to(DOCS.parent / "proto")
    shutil.copytree(DOCS.parent / "examples", place / "examples")
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "FTL_ENDPOINT": endpoint, "PATH": path, "HOME": str(place)}
    ran = 0
    for kind, file_name, text in FENCE.findall((DOCS / name).read_text()):
        if kind != "console" and file_name == "":
            continue  # to be read, or run by other tests
        if kind != "console":
            file = place / file_name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            continue
        for command, said in commands(text):
            ran += 1
            done = subprocess.run(command, shell=True, cwd=place, env=environment, text=True, capture_output=True, timeout=10 * LONG)
            printed = done.stdout + (done.stderr if file_name == "fails" else "")
            # In a block that shows an error, the sed commands that cause it succeed.
            if file_name != "fails" or command.startswith("sed"):
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            else:
                assert done.returncode != 0, command
            assert said == "" or fits(printed, said), f"{command}\n{printed}"
    assert ran == count
