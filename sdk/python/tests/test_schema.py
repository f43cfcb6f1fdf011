# SPDX-License-Identifier: Apache-2.0
"""The schema that a program becomes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample.py"
SCHEMA = """\
// Greets.
module greeter {
  // Who to greet.
  export data GreetRequest {
    // As written
    // by them.
    name String
    mood greeter.Mood?
    items [greeter.Item]
    friend greeter.GreetRequest?
  }

  export enum Mood: String {
    HAPPY = "happy"
    SAD = "\\"sad\\""
  }

  export data Item {
    done Bool
  }

  export data GreetResponse {
    message String
    at Time
    counts {String: [Int]}
    limit Float?
    raw Bytes
    extra Any
    // Wide or narrow.
    shapes [greeter.Shape]
    page greeter.Page<greeter.Id>?
    class {Int: verb time.time}
  }

  // What is drawn.
  export enum Shape {
    Circle greeter.Circle
    // In words.
    Label String
    None Unit
  }

  export data Circle {
    radius Float
  }

  export data Page<T> {
    items [T]
    next greeter.Page<T>?
  }

  // Of a page.
  export typealias Id String

  export data Empty {}

  data Level {
    level greeter.Degree
  }

  enum Degree: Int {
    LOW = -1
    // As high as it gets.
    HIGH = 1
  }

  // Greets
  // politely.
  export verb greet(greeter.GreetRequest) greeter.GreetResponse
      +calls echo.echo, echo.shout, time.time

  export verb tick(Unit) Unit

  export verb count([greeter.Empty]) Int

  verb list(greeter.Level) greeter.Level
      +calls hidden.one
}
"""
PROGRAM = '''
"""Greets."""
from __future__ import annotations
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, NewType, Optional, TypeVar
import ftl
from ftl import call

print("not part of the schema")

@ftl.verb(calls=["echo.shout"])
def greet(request: GreetRequest) -> GreetResponse:
    """Greets
    politely."""
    ftl.call("echo.echo")
    return helper()

def helper():
    call("time.time", {})

def unused():
    ftl.call("other.verb")

class Mood(Enum):
    HAPPY = "happy"
    SAD = '"sad"'

class Degree(IntEnum):
    LOW = -1
    HIGH = 1
    """As high as it gets."""

@dataclass
class Item:
    done: bool

@dataclass
class GreetRequest:
    """Who to greet."""
    name: Annotated[str, "As written\\nby them."]
    mood: Optional[Mood]
    items: list[Item]
    friend: GreetRequest | None = None

@dataclass
class GreetResponse:
    message: str
    at: datetime
    counts: dict[str, list[int]]
    limit: float = 1.5
    raw: bytes = field(kw_only=True)
    extra: Any = field(kw_only=True)
    shapes: list[Shape] = field(kw_only=True)
    "Wide or narrow."
    page: Page[Id] | None = None
    class_: Annotated[dict[int, Annotated[str, ftl.VerbName("time.time")]], ftl.Name("class")] = field(kw_only=True)

T = TypeVar("T")
Id = NewType("Id", str)
"""Of a page."""

@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None

@dataclass
class Circle:
    radius: float

@dataclass
class Label(ftl.Variant):
    """In words."""
    value: str

@dataclass
class Nothing(ftl.Variant, name="None"):
    value: None = None

Shape = Circle | Label | Nothing
"What is drawn."

@dataclass
class Level:
    level: Degree

@ftl.verb
def tick() -> None: ...

@ftl.verb
def count(request: list[Empty]) -> int:
    return len(request)

@dataclass
class Empty: pass

@ftl.verb(export=False, name="list")
async def hide(request: Level) -> Level:
    await asyncio.to_thread(ftl.call, "hidden.one", {})
    return request

if __name__ == "__main__":
    ftl.main()
'''
HEAD = "import ftl, dataclasses\n@dataclasses.dataclass\nclass D:\n  x: {}\n"


def ftl(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ftl", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=20, check=False
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "greeter.py"
    file.write_text(PROGRAM)
    return file


def test_a_program_becomes_its_schema(program: Path) -> None:
    run = ftl("schema", program)
    assert run.stdout == SCHEMA
    assert run.stderr == "not part of the schema\n"


def test_the_module_is_named_by_option_environment_or_file(program: Path) -> None:
    assert "module other {" in ftl("schema", program, FTL_MODULE="other").stdout
    assert "data GreetRequest" in ftl("schema", program, "--module", "third", FTL_MODULE="other").stdout
    assert "third.GreetRequest" in ftl("schema", program, "--module", "third", FTL_MODULE="other").stdout


def test_an_output_is_written_when_it_changes(program: Path, tmp_path: Path) -> None:
    output = tmp_path / "greeter.ftl"
    for text in (None, "old"):
        if text:
            output.write_text(text)
        assert ftl("schema", program, "-o", output).returncode == 0
        assert output.read_text() == SCHEMA
    before = output.stat().st_mtime_ns
    ftl("schema", program, "-o", output)
    assert output.stat().st_mtime_ns == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["greeter.ftl", "greeter.py"]


def test_gathering_a_schema_does_without_grpc(program: Path) -> None:
    program.write_text(PROGRAM + "\nimport sys\nassert 'grpc' not in sys.modules\n")
    assert ftl("schema", program).returncode == 0


GENERIC = """\
import ftl, dataclasses, typing
T = typing.TypeVar("T")
@dataclasses.dataclass
class P(typing.Generic[T]):
  items: list[T]
@dataclasses.dataclass
class Q:
  x: int
@dataclasses.dataclass
class V(ftl.Variant, name="Q"):
  value: int
@dataclasses.dataclass
class W(ftl.Variant):
  other: int
"""
VERB = "@ftl.verb\ndef v(request: D) -> D: ...\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            HEAD.format("set[int]") + VERB,
            "verb v: its argument request: D.x: set[int] has no counterpart in FTL: write list[T], as in list[str]",
        ),
        (HEAD.format("dict[float, str]") + VERB, "D.x: dict[float, str]: a key is str, int, or an Enum of those"),
        (HEAD.format("int | str") + VERB, "D.x: int | str: JSON cannot tell int from the others; a variant is a data"),
        (HEAD.format("list") + VERB, "D.x: list has no counterpart in FTL: write list[T], as in list[str]"),
        (HEAD.format("complex") + VERB, "D.x: complex has no counterpart in FTL: write one of int, float, str"),
        (HEAD.format("5") + VERB, "D.x: 5 has no counterpart in FTL: write one of int"),
        (
            HEAD.format("'list[int]'") + VERB + VERB.replace("v(", "list("),
            "verb v: its argument request: D: its annotations cannot be read: 'function' object is not subscriptable",
        ),
        (HEAD.format("'Missing'") + VERB, "verb v: its argument request: D: name 'Missing' is not defined"),
        (
            "import decimal\n" + HEAD.format("decimal.Decimal") + VERB,
            "D.x: Decimal has no counterpart in FTL: write str",
        ),
        (
            "class C: pass\n" + HEAD.format("C") + VERB,
            "D.x: C has no counterpart in FTL: write @dataclass above class C",
        ),
        (GENERIC + HEAD.format("P") + VERB, "D.x: P is generic: write P[…] with a type for each of T"),
        (GENERIC + HEAD.format("P[T]") + VERB, "D.x: ~T stands for nothing: D has no such type parameter"),
        (GENERIC + "@ftl.verb\ndef v(a: P[T]) -> T: ...\n", "verb v: its argument a: a verb has no type parameters"),
        (GENERIC + HEAD.format("P[int] | Q | None") + VERB, "P[int] | Q has no name: write, at the top of the file"),
        (GENERIC + HEAD.format("V") + VERB, "D.x: V is an ftl.Variant, which stands in a union with others"),
        (GENERIC + "S = V | Q\n" + HEAD.format("S") + VERB, "D.x: S: two of its variants have one name"),
        (GENERIC + "S = W | Q\n" + HEAD.format("S") + VERB, "W: an ftl.Variant has one field, value"),
        (HEAD.format("int") + "@ftl.verb\ndef v(a: D, b: D) -> D: ...\n", "verb v: it takes one argument, its request"),
        (HEAD.format("int") + "@ftl.verb\ndef v(*a: D) -> D: ...\n", "verb v: its argument is written *a: module.D"),
        (HEAD.format("int") + "@ftl.verb\ndef v(a: D): ...\n", "verb v: what it returns has no annotation: write ->"),
        (HEAD.format("int") + "@ftl.verb\ndef v(a) -> D: ...\n", "verb v: its argument a has no annotation: write a:"),
        (HEAD.format("int") + "@ftl.verb\ndef v(a: set[D]) -> D: ...\n", "verb v: its argument a: set[D] has"),
        (HEAD.format("int") + "@ftl.verb\ndef v(a: D) -> {}: ...\n", "verb v: what it returns: {} has no counterpart"),
        (HEAD.format("int") + VERB + VERB, "verb v: there are two of that name"),
        (HEAD.format("int") + VERB.replace("v(", "data("), "verb data: data is a word of the schema language"),
        (HEAD.format("int") + VERB.replace("v(", "né("), "verb né: né: a name has at most 64 of a to z"),
        (HEAD.format("int") + VERB.replace("v(", "D("), "D: two things of one module have that name"),
        (HEAD.format("int").replace("D", "Time") + VERB.replace("D", "Time"), "Time is a word of the schema language"),
        (HEAD.format("int") + "E = D\n" + HEAD.format("E") + VERB, "D: two things of one module have that name"),
        (
            HEAD.format("int") + "@ftl.verb(calls=['echo'])\ndef v(a: D) -> D: ...\n",
            "verb v: calls has 'echo': a verb is",
        ),
        (
            "import enum\n" + "E = enum.Enum('E', {'A': 1.5})\n" + HEAD.format("E") + VERB,
            "D.x: E: the values of an enum",
        ),
        (HEAD.format("int"), "no function of this program is decorated with @ftl.verb"),
    ],
)
def test_what_has_no_schema_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(text)
    run = ftl("schema", file)
    assert run.returncode == 1
    assert problem in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_a_program_that_serves_when_it_is_imported_is_only_read(program: Path) -> None:
    program.write_text(PROGRAM.replace('if __name__ == "__main__":\n    ftl.main()', "ftl.main()"))
    assert ftl("schema", program).stdout == SCHEMA


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    run = ftl("schema", tmp_path / "none.py")
    assert (run.returncode, run.stdout) == (1, "")
    assert "none.py: no such Python file" in run.stderr
