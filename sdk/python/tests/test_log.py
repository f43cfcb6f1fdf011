# SPDX-License-Identifier: Apache-2.0
"""What a module writes."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from peers import Backplane, Child, answer_of


def structured(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def test_a_log_line_is_an_object_and_a_print_is_not(child: Child) -> None:
    child.call("speak", {"text": "Zoë\n2"}, metadata=[("ftl-request-id", "r7")])
    out, err = child.stop()
    assert out.startswith("plain Zoë\n2\n")
    (line,) = structured(out)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "warn",
        "message": "structured Zoë\n2",
        "logger": "sample",
        "verb": "sample.speak",
        "request_id": "r7",
        "size": 5,
        "mood": "Mood.HAPPY",
    }
    assert err == ""


def test_a_line_is_there_at_once(child: Child) -> None:
    child.call("speak", {"text": "x"})
    assert child.process.stdout is not None
    assert child.process.stdout.readline() == "plain x\n"
    assert json.loads(child.process.stdout.readline())["message"] == "structured x"


def test_outside_of_a_call_there_is_no_verb(child: Child, backplane: Backplane) -> None:
    backplane.answers["echo.echo"] = lambda call, context: answer_of({"text": "x"})
    child.call("hidden")
    (line,) = structured(child.stop()[0])
    assert line["message"] == "from a thread"
    assert "verb" not in line


def test_lines_and_prints_of_many_calls_do_not_mix(child: Child) -> None:
    calls = [child.begin("speak", {"text": str(number)}) for number in range(200)]
    for call in calls:
        call.result()
    out, _ = child.stop()
    assert len(structured(out)) == 200


OWN_LOGGING = """
import dataclasses, logging, sys, ftl
logging.basicConfig(format="mine: %(message)s", stream=sys.stderr)

@dataclasses.dataclass
class Nothing:
    pass

@ftl.verb
def begin(request: Nothing) -> Nothing:
    logging.warning("called")
    print("no line end", end="")
    return request

ftl.main()
"""


def test_a_module_may_bring_its_own_logging(start: Callable[..., Child]) -> None:
    child = start(OWN_LOGGING)
    child.call("begin")
    child.call("begin")
    assert child.stop() == ("no line end\n" * 2, "mine: called\n" * 2)
