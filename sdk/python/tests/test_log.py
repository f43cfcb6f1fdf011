# SPDX-License-Identifier: Apache-2.0
"""What a module writes."""

import json
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from conftest import free_port
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


PRINTS = """
import io, logging, sys, ftl
{before}
@ftl.verb
def speak(text: str) -> str:
    print("plain", text)
    logging.getLogger().warning("structured %s", text)
    return {answer}
ftl.main()
"""


def test_a_module_answers_when_its_output_is_closed(tmp_path: Path) -> None:
    """As with `./main.py >&-`: its first socket would get the number of standard output."""
    program = tmp_path / "sample.py"
    program.write_text(PRINTS.format(before="", answer="text"))
    bind = f"http://127.0.0.1:{free_port()}"
    child = Child(program, bind, "", streams_closed=(0, 1))
    try:
        assert child.call("speak", "one") == "one"
        assert child.call("speak", "two") == "two"
        files = Path(f"/proc/{child.process.pid}/fd")
        assert [os.readlink(files / number) for number in ("0", "1")] == ["/dev/null", "/dev/null"]
        assert child.stop() == ("", "")
    finally:
        child.kill()


def test_a_module_answers_when_nobody_reads_its_output(start: Callable[..., Child]) -> None:
    child = start(PRINTS.format(before="", answer="text"))
    assert child.process.stdout is not None
    child.process.stdout.close()
    for text in ("one", "two" * 10000, "three"):
        assert child.call("speak", text) == text
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(20) == 0
    assert child.process.stderr is not None
    assert child.process.stderr.read() == ""


def test_a_module_may_put_an_output_of_its_own_in_place(start: Callable[..., Child]) -> None:
    child = start(PRINTS.format(before="sys.stdout = own = io.StringIO()", answer="own.getvalue()"))
    said = child.call("speak", "Zoë" * 3000)
    assert said.startswith("plain Zoë")
    assert json.loads(said.splitlines()[1])["message"] == "structured " + "Zoë" * 3000


def test_a_module_may_close_its_output(start: Callable[..., Child]) -> None:
    child = start(PRINTS.format(before="sys.stdout.close()", answer="text"))
    assert child.call("speak", "one") == "one"
