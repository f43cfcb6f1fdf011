# SPDX-License-Identifier: Apache-2.0
"""Common mistakes in a schema: `ftl build` names the place, shows the line with a mark, and says what to do."""

import os
import re
import subprocess

import pytest
from harness import FTL, LONG

TIME = """module time {
  export data Zone { name String }
  data Hidden { a Int }
  export data Box<T> { v T }
  export verb now(Unit) Time
  verb secret(Unit) Time
}
"""
# The content of a module, then for each of its errors the place and the words of the message.
MISTAKES = [
    ("exprot verb echo(Unit) Unit", [("2:3", 'did you mean "export"?')]),
    ("dta Req { name String }", [("2:3", 'did you mean "data"?')]),
    ("message Req { name String }", [("2:3", 'did you mean "data"?')]),
    ("import time", [("2:3", "written module.Type")]),
    ("data Req {\n    name String\n\n  verb echo(Unit) Unit", [("5:12", "is a '}' missing before this line?")]),
    ("data String { name Int }\n  data verb { a Int }", [("2:8", "has a meaning already"), ("3:8", "choose another")]),
    ("data Req { name Strin }", [("2:19", 'did you mean "String"?')]),
    ("data Req { n int  b boolean }", [("2:16", 'did you mean "Int"?'), ("2:23", 'did you mean "Bool"?')]),
    ("data Req { a List<String>  m Map<String, Int> }", [("2:16", "written [String]"), ("2:32", "written {String: Int}")]),
    ("data Req { name: String }", [("2:18", "a field is written: name String")]),
    ("data Req { String name }", [("2:21", "a field is written: name String")]),
    ("data Req { name String, age Int }", [("2:25", "but a blank or a new line")]),
    ("data Req { name String; }", [("2:25", "ends without a mark")]),
    ("data Req { names String[] }", [("2:26", "an array is written [String]")]),
    ("data Req { name? String }", [("2:18", "an optional field is written: name String?")]),
    ("data Req { name String name Int }", [("2:26", 'a second field "name"')]),
    ("data A { b B }\n  data B { a A }", [("2:8", "without end"), ("3:8", "optional or an array")]),
    ("typealias A B\n  typealias B A", [("2:13", "a type alias made of itself")]),
    ("verb echo(Unit) Unit\n  verb echo(Unit) Int", [("3:8", "declared twice")]),
    ("enum Mood: String { Happy = 1  Sad }", [("2:31", "expected a string"), ("2:34", 'a variant is written: Name = "value"')]),
    ('enum N: Int { A = "x"  B = 1.5 }', [("2:21", "expected a whole number"), ("2:31", "no fraction")]),
    ("enum N: Int { A = 1  B = 1 }", [("2:24", 'a second variant with the value "1"')]),
    ("enum Mood: Float { A = 1 }", [("2:14", "expected Int or String")]),
    ("verb echo(Unit)\n  verb other(Unit) Unit", [("3:3", "write Unit when it answers nothing")]),
    ("verb echo() Unit", [("2:13", "write Unit when it takes nothing")]),
    ("verb echo(Unit) -> Unit", [("2:19", "has no meaning here"), ("2:20", "verb name(Request) Response")]),
    ("verb echo(Unit): Unit", [("2:18", "verb name(Request) Response")]),
    ("verb echo(Int, String) Unit", [("2:16", "make a data of several")]),
    ("verb echo(Unit) Unit\n    +calls time.nwo", [("3:12", 'did you mean "now"?')]),
    ("verb echo(Unit) Unit\n    +calls time.secret", [("3:12", "export verb secret")]),
    ("verb echo(Unit) Unit\n    +calls now", [("3:12", "one of another module is written: module.verb")]),
    ("data A { z time.Zonee  h time.Hidden }", [("2:14", 'did you mean "Zone"?'), ("2:28", "export data Hidden")]),
    ("data A { z time.Box }", [("2:14", "takes 1 type argument, not 0")]),
    ("data A { m {Float: Int} }", [("2:15", "a key is String, Int or an enum of values")]),
    ("data A { m Int?? }", [("2:18", "one '?' is enough")]),
    ("data my-req { a Int }", [("2:10", "letters, digits and underscores"), ("2:11", "expected '{'")]),
    ("enum M: String { A = “x” }", [("2:24", 'a string stands in "'), ("2:25", "expected a string"), ("2:26", "stands in")]),
    ('enum M: String { A = "x }', [("2:24", "ends in the line that it begins in")]),
    ("# Words.", [("2:3", "a comment begins with //")]),
    # Several errors in one text, in the order of their places.
    (
        "data Q { p Strng }\n  verb a(Q) R\n  verb a(Unit) Unit\n      +calls echo.z, time.soon",
        [("2:14", 'did you mean "String"?'), ("3:13", 'no type "R"'), ("4:8", "declared twice"), ("5:14", 'no verb "z"')],
    ),
]


@pytest.fixture
def build(tmp_path):
    """Builds a module with these words in its schema. Returns the exit code and the messages."""
    (tmp_path / "ftl.toml").write_text('module = "echo"\ngenerate = "c"\n')
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "time.ftl").write_text(TIME)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FTL_ENDPOINT": "http://127.0.0.1:1"}

    def build(words):
        (tmp_path / "echo.ftl").write_text(f"module echo {{\n  {words}\n}}\n")
        done = subprocess.run([FTL, "build"], cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=LONG)
        return done.returncode, done.stderr

    return build


def test_each_mistake_has_its_place_its_line_and_a_hint(build):
    for words, errors in MISTAKES:
        code, said = build(words)
        assert code == 1, words
        # A place and a message, the line, the mark under it, and perhaps a hint.
        found = re.findall(r"^echo\.ftl:(\d+:\d+): (.+\n    .*\n    .*\^.*\n(?:    hint: .+\n)?)", said, re.MULTILINE)
        assert [place for place, _ in found] == [place for place, _ in errors], said
        for (_, text), (_, wanted) in zip(found, errors, strict=True):
            assert wanted in text, said
        assert said.endswith(f"error: echo.ftl has {len(errors)} error{'s' if len(errors) > 1 else ''}\n"), said


def test_a_likely_mistake_is_a_warning(build):
    code, said = build("verb echo(Unit) Unit\n    +call time.now")
    assert code == 0
    assert said == "warning: echo.ftl:3:5: +call is kept, but says nothing to FTL; did you mean +calls?\n"
    code, said = build("verb echo(Unit) Unit\n    +route /echo")
    assert (code, said) == (0, "")


def test_a_module_without_a_readable_schema(build):
    code, said = build("data A { z tim.Zone }")
    assert code == 1
    assert said.startswith("error: echo.ftl:2:14: echo names the module tim, and schemas/tim.ftl is not there: deploy tim first")
