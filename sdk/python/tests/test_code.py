# SPDX-License-Identifier: Apache-2.0
"""The package itself: its types, its style, and that it goes by what it declares."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]


@pytest.mark.parametrize("command", [["mypy"], ["ruff", "check"], ["ruff", "format", "--check"]], ids=" ".join)
def test_the_code_passes(command: list[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", *command], cwd=FOLDER, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_to_import_it_is_quick() -> None:
    """A program that is only asked for its schema imports nothing that is slow, nor does the generated code."""
    slow = ("grpc", "google", "asyncio", "difflib", "ssl")
    code = f"import sys, ftl, ftl._schema; print([name for name in {slow!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "[]\n"
