# SPDX-License-Identifier: Apache-2.0
"""
JSON read in place, as src/schema/json_scan.c does it: one value after the other, and what is wrong with the text where
it goes wrong. Python's own json tells neither in these words; this is slow, and for texts that were refused.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NoReturn

from ftl._json import DEPTH_MAX


class Kind(Enum):
    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    ARRAY = "array"
    OBJECT = "object"


_KINDS = {
    b"n": Kind.NULL,
    b"t": Kind.BOOLEAN,
    b"f": Kind.BOOLEAN,
    b'"': Kind.STRING,
    b"[": Kind.ARRAY,
    b"{": Kind.OBJECT,
    **{bytes([c]): Kind.NUMBER for c in b"-0123456789"},
}
_BLANKS = re.compile(rb"[ \t\n\r]*")
_DIGITS = re.compile(rb"[0-9]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_UNIT = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u....|\\u....|\\.", re.DOTALL)
_LETTERS = dict(zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True))


class NotJsonError(Exception):
    pass


class Scanner:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def start(self) -> None:
        try:
            self.text.decode()
        except UnicodeDecodeError:
            self.fail("not UTF-8")
        if b"\0" in self.text:
            self.fail("not UTF-8")

    def fail(self, problem: str) -> NoReturn:
        before = self.text[: self.at]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise NotJsonError(f"not JSON at line {line}, column {column}: {problem}")

    def fail_here(self, problem: str) -> NoReturn:
        self.fail("it ends too early" if self.at == len(self.text) else problem)

    def char(self) -> bytes:
        return self.text[self.at : self.at + 1]

    def skip_blanks(self) -> None:
        self.at = _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]

    def take(self, char: bytes) -> bool:
        if self.char() != char:
            return False
        self.at += 1
        return True

    def peek(self) -> Kind:
        """What comes next; moves only over blanks."""
        self.skip_blanks()
        kind = _KINDS.get(self.char())
        if kind is None:
            self.fail_here("expected a value")
        return kind

    def take_word(self, word: bytes) -> None:
        if not self.text.startswith(word, self.at):
            self.fail("expected null, true or false")
        self.at += len(word)

    def null(self) -> None:
        self.take_word(b"null")

    def boolean(self) -> None:
        self.take_word(b"true" if self.char() == b"t" else b"false")

    def take_digits(self) -> None:
        end = _DIGITS.match(self.text, self.at).end()  # type: ignore[union-attr]
        if end == self.at:
            self.fail("expected a digit")
        self.at = end

    def number(self) -> bytes:
        start = self.at
        self.take(b"-")
        if self.take(b"0"):
            if self.char().isdigit():
                self.fail("a number begins with 0")
        else:
            self.take_digits()
        if self.take(b"."):
            self.take_digits()
        if self.take(b"e") or self.take(b"E"):
            if not self.take(b"-"):
                self.take(b"+")
            self.take_digits()
        return self.text[start : self.at]

    def string(self) -> bytes:
        """What stands between the quotes."""
        if not self.take(b'"'):
            self.fail("expected a string")
        start = self.at
        while True:
            self.at = _PLAIN.match(self.text, self.at).end()  # type: ignore[union-attr]
            char = self.char()
            if char == b'"':
                self.at += 1
                return self.text[start : self.at - 1]
            if char == b"":
                self.fail("it ends within a string")
            if char != b"\\":
                self.fail("a control character in a string")
            self.take_escape()

    def take_escape(self) -> None:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter == b"":
            self.fail("it ends within a string")
        if letter != b"u":
            self.at += 2
            if letter[0] not in _LETTERS:
                self.fail("an unknown escape in a string")
            return
        unit = self.unit(self.at + 2)
        if unit <= 0:
            self.fail("a NUL in a string" if unit == 0 else "expected four hexadecimal digits after \\u")
        self.at += 6
        if 0xD800 <= unit <= 0xDBFF:
            low = self.unit(self.at + 2) if self.text.startswith(b"\\u", self.at) else -1
            if not 0xDC00 <= low <= 0xDFFF:
                self.fail("half of a surrogate pair in a string")
            self.at += 6
        elif 0xDC00 <= unit <= 0xDFFF:
            self.fail("half of a surrogate pair in a string")

    def unit(self, at: int) -> int:
        match = _UNIT.match(self.text, at)
        return int(match[0], 16) if match else -1

    def enter(self) -> None:
        """Into an array or an object."""
        if self.depth == DEPTH_MAX:
            self.fail(f"it is nested deeper than {DEPTH_MAX}")
        self.depth += 1
        self.at += 1

    def next(self, first: bool, closing: bytes = b"]") -> bool:
        """To a member, over the comma before it; False: out."""
        self.skip_blanks()
        if self.take(closing):
            self.depth -= 1
            return False
        if not first and not self.take(b","):
            self.fail_here(f"expected ',' or '{closing.decode()}'")
        self.skip_blanks()
        return True

    def next_key(self, first: bool) -> bytes | None:
        if not self.next(first, b"}"):
            return None
        if self.char() != b'"':
            self.fail_here('expected a key in "')
        key = self.string()
        self.skip_blanks()
        if not self.take(b":"):
            self.fail("expected ':'")
        return key

    def skip(self) -> None:
        """Takes a value of any kind."""
        match self.peek():
            case Kind.NULL:
                self.null()
            case Kind.BOOLEAN:
                self.boolean()
            case Kind.NUMBER:
                self.number()
            case Kind.STRING:
                self.string()
            case Kind.ARRAY:
                self.enter()
                first = True
                while self.next(first):
                    self.skip()
                    first = False
            case Kind.OBJECT:
                self.enter()
                first = True
                while self.next_key(first) is not None:
                    self.skip()
                    first = False

    def finish(self) -> None:
        self.skip_blanks()
        if self.at < len(self.text):
            self.fail("something follows the value")


def unescape(raw: bytes) -> bytes:
    """What a string that was read stands for."""
    return _ESCAPE.sub(_meaning, raw) if b"\\" in raw else raw


def _meaning(escape: re.Match[bytes]) -> bytes:
    text = escape[0]
    if text[1:2] != b"u":
        return bytes([_LETTERS[text[1]]])
    code = int(text[2:6], 16)
    if len(text) > 6:
        code = 0x10000 + ((code - 0xD800) << 10) + (int(text[8:12], 16) - 0xDC00)
    return chr(code).encode()
