# SPDX-License-Identifier: Apache-2.0
"""The modules m and other of tests/vectors/json_values.json, written in Python."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum, StrEnum
from types import ModuleType
from typing import Annotated, Any, Generic, NewType, TypeVar

from typing_extensions import TypeAliasType

import ftl

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
U = TypeVar("U")


@dataclass
class Item:
    name: str
    price: float | None = None
    next: Item | None = None


Maybe = TypeAliasType("Maybe", str | None)
Alias = NewType("Alias", Item)
Word = NewType("Word", str)


@dataclass
class Order:
    items: list[Item]
    counts: dict[str, int]
    note: Maybe


@dataclass
class Page(Generic[T]):
    items: list[T]
    more: Box[T] | None = None


@dataclass
class Box(Generic[U]):
    value: U


@dataclass
class Both(Generic[A, B]):
    a: A
    b: Box[B]


@dataclass
class Drawing:
    shapes: list[Figure]


@dataclass
class Circle(ftl.Variant):
    value: float


@dataclass
class Group(ftl.Variant):
    value: Drawing


Figure = Circle | Group | Item


class Mood(StrEnum):
    Happy = "happy"
    Sad = "sad"


class Level(IntEnum):
    Low = -1
    High = 5


Many = Enum("Many", {f"V{i}": f"variant_number_{i:02}" for i in range(20)})  # type: ignore[misc]


@dataclass
class Named(ftl.Variant):
    value: list[Mood]


@dataclass
class Nothing(ftl.Variant, name="None"):
    value: None = None


Shape = Circle | Named | Nothing
Key = NewType("Key", Mood)
Levels = NewType("Levels", dict[Level, bool])
Ints = NewType("Ints", dict[int, bool])
Moods = NewType("Moods", dict[Key, bool])


class Kind(Enum):
    A = "a"


@dataclass
class Thing:
    of: Item


OtherKey = NewType("OtherKey", Kind)
OtherKey.__name__ = "Key"
Foreign = NewType("Foreign", dict[OtherKey, Thing])


@dataclass
class Refs:
    verb: Annotated[str, ftl.VerbName("time.time")]
    thing: Thing
    kind: Kind


# As generated code of another module is: it says what is declared there.
generated = ModuleType("ftl_modules.other")
sys.modules["ftl_modules.other"] = generated
for declared in (Kind, Thing, OtherKey):
    declared.__module__ = generated.__name__
vars(generated).update(FTL_TYPES={"other.Thing": Thing, "other.Kind": Kind, "other.Key": OtherKey}, Item=Item)

TYPES: list[Any] = [
    int,
    float,
    str,
    bool,
    datetime,
    bytes,
    Any,
    None,
    int | None,
    list[int],
    list[int | None],
    list[list[int]],
    list[str],
    list[Any],
    dict[str, int],
    dict[str, list[int]],
    list[dict[str, int]],
    Item,
    Alias,
    Maybe,
    Word,
    Order,
    Page[int],
    Page[Page[Item]],
    Box[int],
    Box[int | None],
    Box[Maybe],
    Box[Box[int]],
    Both[int, list[Mood]],
    Drawing,
    Mood,
    Level,
    Many,
    Shape,
    Levels,
    Ints,
    Moods,
    Foreign,
    Refs,
    Annotated[str, ftl.VerbName("time.time")],
]
