# SPDX-License-Identifier: Apache-2.0
"""A module with a verb for each way in which a call can go."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import ftl

log = logging.getLogger("sample")


class Mood(Enum):
    """How somebody feels."""

    HAPPY = "happy"
    SAD = "sad"


@dataclass
class Item:
    """A thing, of which there may be several."""

    name: Annotated[str, "What it is called."]
    count: int = 1


@dataclass
class Everything:
    whole: int
    real: float
    text: str
    flag: bool
    raw: bytes
    at: datetime
    items: list[Item]
    counts: dict[str, int]
    mood: Mood
    anything: Any
    maybe: str | None
    tags: list[str] = field(default_factory=list)


@dataclass
class Text:
    text: str


@dataclass
class Checked:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("the value is negative")
        _ = 1 / self.value


@dataclass
class Nothing:
    pass


@dataclass
class CallOut:
    verb: str
    body: dict[str, Any] = field(default_factory=dict)
    timeout: float | None = None


@ftl.verb
def same(request: Everything) -> Everything:
    """
    Answers what it was asked.

    To the last field.
    """
    return request


@ftl.verb
def tick() -> None:
    print("ticked")


@ftl.verb
def count(request: list[Item]) -> int:
    return len(request)


@ftl.verb
def check(request: Checked) -> Checked:
    return request


@ftl.verb
def wrong(request: Nothing) -> Text:
    return Text(text=5)  # type: ignore[arg-type]


@ftl.verb
def fail(request: Text) -> Text:
    raise KeyError(request.text)


@ftl.verb
def leave(request: Nothing) -> Text:
    sys.exit(3)


@ftl.verb
def hold(request: Text) -> Text:
    """Until there is a file."""
    log.info("holding")
    while not Path(request.text).exists():
        time.sleep(0.01)
    return Text("held")


@ftl.verb
def wait(request: Nothing) -> Text:
    """Until nobody wants the answer."""
    call = ftl.current()
    assert call is not None
    log.info("waiting")
    while not call.cancelled:
        time.sleep(0.01)
    log.info("given up")
    return Text("nobody reads this")


@ftl.verb
def call_out(request: CallOut) -> Text:
    answer = ftl.call(request.verb, request.body, Text, timeout=request.timeout)
    return Text(answer.text)


@ftl.verb
def code_of(request: CallOut) -> Text:
    try:
        ftl.call(request.verb)
    except ftl.StatusError as error:
        log.info("not answered", extra={"code": error.code})
        return Text(f"{error.code}: {error.message}")
    except ftl.CallError as error:
        return Text(f"{error.verb} failed: {error.message}")
    return Text("answered")


@ftl.verb
async def meet(request: Text) -> Text:
    """Until as many have come as there are to meet: in one thread these would wait for ever."""
    async with met:
        names.append(request.text)
        met.notify_all()
        await met.wait_for(lambda: len(names) >= 3)
    log.info("met")
    return await asyncio.to_thread(ftl.call, "echo.echo", {"names": sorted(names)}, Text)


names: list[str] = []
met = asyncio.Condition()


@ftl.verb
async def doze(request: Nothing) -> Text:
    """Until it is cancelled."""
    log.info("dozing")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        log.info("woken")
        raise
    return Text("slept")


@ftl.verb
async def block(request: Nothing) -> Text:
    return ftl.call("echo.echo", {}, Text)


@ftl.verb
def speak(request: Text) -> Text:
    print("plain", request.text)

    log.warning("structured %s", request.text, extra={"size": len(request.text), "mood": Mood.HAPPY})
    return request


@ftl.verb(export=False, calls=["echo.shout"])
def hidden(request: Nothing) -> Text:
    threading.Thread(target=log.info, args=("from a thread",)).start()
    return helper()


def helper() -> Text:
    return ftl.call("echo.echo", {}, Text)


if __name__ == "__main__":
    ftl.main()
