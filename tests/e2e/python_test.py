# SPDX-License-Identifier: Apache-2.0
"""Every type of a schema between two Python modules: one that declares them in code, and one that calls it by stubs."""

import json
import os
import re
import subprocess
import sys
import time

import grpc
import pytest
from harness import FTL, HERE, LONG, Backplane

EXAMPLES = HERE.parents[1] / "examples"
ZOO = '''
#!/usr/bin/env python3
"""One of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, NewType, TypeVar

import ftl

T = TypeVar("T")


class Mood(Enum):
    CALM = "calm"
    WILD = "wild"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


Id = NewType("Id", str)


@dataclass
class Cat:
    lives: int
    mood: Mood = Mood.CALM


@dataclass
class Bird(ftl.Variant):
    """By its song."""

    value: str


@dataclass
class Herd(ftl.Variant):
    value: list[Animal]


@dataclass
class Nothing(ftl.Variant, name="None"):
    value: None = None


Animal = Cat | Bird | Herd | Nothing


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Id | None = None


@dataclass
class Box(Generic[T]):
    value: T


@dataclass
class Cage:
    animal: Animal
    by_number: dict[int, str]
    by_size: dict[Size, list[Mood]]
    at: datetime
    raw: bytes
    extra: Any
    clock: Annotated[str, ftl.VerbName("zoo.same")]
    class_: Annotated[int, ftl.Name("class")]
    box: Box[Box[int]]


@ftl.verb
def same(page: Page[Cage]) -> Page[Cage]:
    return page


@ftl.verb
def turn(animal: Animal) -> Animal:
    match animal:
        case Cat(lives=lives):
            return Bird(f"{lives} times meow")
        case Herd(value=animals):
            return Herd(animals[::-1])
        case _:
            return animal


@ftl.verb(name="list")
def sizes(number: int | None) -> dict[Size, int]:
    return {Size.LARGE: number or 0}


if __name__ == "__main__":
    ftl.main()
'''
KEEPER = '''
#!/usr/bin/env python3
import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import ftl
from ftl_modules import zoo


@dataclass
class Answers:
    same: bool
    turned: zoo.Animal
    song: str
    sizes: dict[zoo.Size, int]


@ftl.verb
async def check() -> Answers:
    cage = zoo.Cage(
        animal=zoo.Animal_Herd([zoo.Cat(lives=9, mood=zoo.Mood.CALM), zoo.Animal_None()]),
        by_number={-1: "a", 2**63 - 1: "b"},
        by_size={zoo.Size.LARGE: [zoo.Mood.WILD]},
        at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        raw=b"\\0\\xff",
        extra={"a": [None, 1.5]},
        clock="zoo.same",
        class_=5,
        box=zoo.Box(value=zoo.Box(value=7)),
    )
    page = zoo.Page(items=[cage], next="more")
    again, turned, song = await asyncio.gather(
        asyncio.to_thread(zoo.same, page),
        asyncio.to_thread(zoo.turn, cage.animal),
        asyncio.to_thread(zoo.turn, zoo.Cat(lives=9)),
    )
    sizes = await asyncio.to_thread(zoo.list_, 5)
    assert isinstance(song, zoo.Animal_Bird)
    return Answers(again == page, turned, song.value, sizes)


if __name__ == "__main__":
    ftl.main()
'''
ABOUT = '''
module = "{0}"
language = "python"
build = "python3 -m ftl schema {0}.py -o {0}.ftl"
deploy = ["{0}.py"{1}]
entry = "{0}.py"
'''
BODY = {
    "items": [
        {
            "animal": {"name": "Cat", "value": {"lives": 9}},
            "by_number": {"7": "x"},
            "by_size": {"1": ["calm"]},
            "at": "2026-01-02T03:04:05Z",
            "raw": "AA==",
            "extra": None,
            "clock": "zoo.same",
            "class": 1,
            "box": {"value": {"value": 1}},
        }
    ]
}


@pytest.fixture
def folder(tmp_path):
    """The folder of the two modules, with a running Backplane."""
    backplane = Backplane(tmp_path / "serve")
    backplane.folder.mkdir()
    backplane.start()
    write(tmp_path, "zoo", ZOO, "")
    write(tmp_path, "keeper", KEEPER, ', "ftl_modules/*.py"]\ngenerate = "python"\nuses = ["zoo"')
    yield tmp_path, backplane
    backplane.clean_up()


def write(folder, name, text, more):
    (folder / name).mkdir()
    (folder / name / "ftl.toml").write_text(ABOUT.format(name, more).lstrip())
    program = folder / name / f"{name}.py"
    program.write_text(text.lstrip())
    program.chmod(0o755)


def run(folder, *arguments, code=0):
    place, backplane = folder
    environment = {**os.environ, "FTL_ENDPOINT": backplane.endpoint, "HOME": str(place)}
    done = subprocess.run([FTL, *arguments], cwd=place, env=environment, text=True, capture_output=True, timeout=10 * LONG)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_all_types_pass_in_both_directions(folder):
    place, backplane = folder
    run(folder, "deploy", "zoo", "keeper")
    assert json.loads(run(folder, "call", "keeper.check")) == {
        "same": True,
        "turned": {"name": "Herd", "value": [{"name": "None", "value": {}}, {"name": "Cat", "value": {"lives": 9, "mood": "calm"}}]},
        "song": "9 times meow",
        "sizes": {"2": 5},
    }
    # The schema of one module names types of the other.
    schema = run(folder, "schema", "keeper")
    assert re.search(r"turned zoo.Animal\s+song String\s+sizes \{zoo.Size: Int\}", schema)
    assert "data Cat" not in schema
    assert "+calls zoo.list, zoo.same, zoo.turn" in schema
    assert json.loads(run(folder, "call", "zoo.same", json.dumps(BODY)))["items"][0]["class"] == 1
    # The generated code passes mypy --strict.
    for module in ("zoo", "keeper"):
        command = [sys.executable, "-m", "mypy", "--strict", f"{module}.py"]
        checked = subprocess.run(command, cwd=place / module, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
    for example in ("greeter/greeter.py",):
        checked = subprocess.run([sys.executable, "-m", "mypy", "--strict", example], cwd=EXAMPLES, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


def test_a_traceback_is_read_line_by_line(folder):
    write(folder[0], "bad", "#!/usr/bin/env python3\nimport ftl\n@ftl.verb\ndef fail() -> None:\n    raise KeyError(5)\nftl.main()", "")
    run(folder, "deploy", "bad")
    assert run(folder, "call", "bad.fail", code=1) == "error: KeyError: 5\n"
    give_up = time.monotonic() + LONG
    while "KeyError" not in (log := run(folder, "logs", "bad")):
        assert time.monotonic() < give_up, log
        time.sleep(0.1)
    first, *lines = log.splitlines()
    assert re.search(r" error bad KeyError: 5 .*verb=bad.fail request_id=ingress-", first)
    assert lines[0] == "    Traceback (most recent call last):"
    assert lines[2:] == ["        raise KeyError(5)", "    KeyError: 5"]


def test_an_invalid_value_is_refused_with_the_same_path_everywhere(folder):
    """Both the command line, which has the schema, and the module refuse it with the same path, in different words."""
    _, backplane = folder
    run(folder, "deploy", "zoo")
    for change, path, said in (
        ({"animal": {"name": "Cat", "value": {"lives": "9"}}}, ".animal.value.lives", "expected Int, got string"),
        (
            {"animal": {"name": "Dog", "value": 1}},
            ".animal.name",
            'expected "Cat", "Bird", "Herd" or "None", got "Dog"',
        ),
        ({"by_size": {"3": []}}, ".by_size", 'expected a key that is 1 or 2, got "3"'),
        ({"box": {"value": {}}}, ".box.value.value", "expected T, but it is missing"),
        ({"class": 1.5}, ".class", "expected Int, got 1.5"),
        ({"clas": 1}, "", 'unknown field "clas"; did you mean "class"?'),
    ):
        body = json.dumps({"items": [{**BODY["items"][0], **change}]})
        assert run(folder, "call", "zoo.same", body, code=1) == f"error: request.items[0]{path}: {said}\n"
        with pytest.raises(grpc.RpcError) as raised:
            backplane.call("zoo.same", body.encode())
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert raised.value.details().startswith(f"request.items[0]{path}: ")


CALLER = """
#!/usr/bin/env python3
import ftl

@ftl.verb
def relay(verb: str) -> str:
    return str(ftl.call(verb, {}))

if __name__ == "__main__":
    ftl.main()
"""


def test_a_call_that_the_schema_lacks_names_what_one_edits(folder):
    """The schema is made from the code, so the advice is not to add a line to it."""
    write(folder[0], "caller", CALLER, "")
    run(folder, "deploy", "zoo", "caller")
    said = run(folder, "call", "caller.relay", '"zoo.turn"', code=1)
    assert "caller.relay may not call zoo.turn, as its schema does not declare the call" in said
    assert 'add it to the decorator, @ftl.verb(calls=["zoo.turn"])' in said
    assert "+calls" not in said


def test_a_program_without_main_is_not_deployed_and_says_why(folder):
    write(folder[0], "short", CALLER.split("if __name__")[0], "")
    said = run(folder, "deploy", "short", code=1)
    assert "short.py has ended without ftl.main(), which serves its verbs" in said
    assert 'if __name__ == "__main__":' in said


EVENTS = """
#!/usr/bin/env python3
import ftl
from ftl_modules import news

@ftl.verb
def read(story: news.Story) -> news.Headline | None:
    return story.headline

if __name__ == "__main__":
    ftl.main()
"""


def test_stubs_have_exported_types_that_no_verb_uses(folder):
    place = folder[0]
    write(place, "reader", EVENTS, ', "ftl_modules/*.py"]\ngenerate = "python"\nuses = ["news"')
    (place / "reader" / "schemas").mkdir()
    (place / "reader" / "schemas" / "news.ftl").write_text(
        "module news {\n  export data Story { headline Headline?  by Author }\n  export typealias Headline String\n"
        "  export enum Kind: Int { Local = 1 }\n  export data Box<T> { of T }\n  data Author { name String }\n"
        "  data Hidden { x Int }\n}\n"
    )
    run(folder, "generate", "reader")
    stubs = (place / "reader" / "ftl_modules" / "news.py").read_text()
    for name in ("class Story:", "class Kind(enum.Enum):", "class Box(Generic[T]):", "Headline: TypeAlias", "class Author:"):
        assert name in stubs
    assert "Hidden" not in stubs
    run(folder, "build", "reader")
    assert "verb read(news.Story) String?" in (place / "reader" / "reader.ftl").read_text()


KEEPS = """
#!/usr/bin/env python3
import os
from pathlib import Path

import ftl

@ftl.verb
def visits() -> list[int]:
    counts = []
    for folder in (Path(), Path(os.environ["FTL_WORKING_DIR"])):
        with (folder / "visits").open("a") as file:
            file.write("x")
        counts.append((folder / "visits").stat().st_size)
    return counts

@ftl.verb
def crash() -> None:
    os.abort()

if __name__ == "__main__":
    ftl.main()
"""


def test_what_a_module_writes_into_its_folders_is_gone_with_the_replica(folder):
    """As docs/without-an-sdk.md and docs/lifecycle.md say."""

    def visits():
        return json.loads(run(folder, "call", "diary.visits"))

    write(folder[0], "diary", KEEPS, "")
    run(folder, "deploy", "diary")
    assert [visits(), visits()] == [[1, 1], [2, 2]]
    run(folder, "call", "diary.crash", code=1)
    assert visits() == [1, 1]
    run(folder, "scale", "diary", "0")
    run(folder, "scale", "diary", "1")
    assert visits() == [1, 1]
    program = folder[0] / "diary" / "diary.py"
    program.write_text(program.read_text() + "# another version\n")
    run(folder, "deploy", "diary")
    assert [visits(), visits()] == [[1, 1], [2, 2]]
    run(folder, "rollback", "diary")
    assert visits() == [1, 1]
