# SPDX-License-Identifier: Apache-2.0
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers import Backplane, Child

SAMPLE = Path(__file__).parent / "sample.py"


@pytest.fixture
def backplane() -> Iterator[Backplane]:
    backplane = Backplane()
    yield backplane
    backplane.stop()


@pytest.fixture
def start(backplane: Backplane, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a program: the sample module, or one whose text is given."""
    children = []

    def start(text: str = "", bind: str = "") -> Child:
        program = SAMPLE
        if text:
            program = tmp_path / "program.py"
            program.write_text(text)
        children.append(Child(program, bind or f"http://127.0.0.1:{free_port()}", backplane.endpoint))
        return children[-1]

    yield start
    for child in children:
        child.kill()


@pytest.fixture
def child(start: Callable[..., Child]) -> Child:
    return start()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
