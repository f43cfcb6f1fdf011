# SPDX-License-Identifier: Apache-2.0
"""Modules in C, built from one source as a shared object in the Runner and as a process."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from random import Random

import grpc
import pytest
from fake_backplane import ftl, ftl_grpc, schema
from runner_backplane import Artefact, Deployment
from runner_test import BUILD, HERE, KEY, backplane, start, terminate  # noqa: F401
from harness import LONG, SANITIZED

ROOT = HERE.parents[1]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CFLAGS = [f"-I{ROOT}/include", "-O1", "-fvisibility=hidden", *WARNINGS]
LIBRARY = BUILD / "sdk/c/libftl-module.a"
LIBS = [str(LIBRARY), *"-luv -lnghttp2 -lprotobuf-c -ljansson -lssl -lcrypto -lz -lm -pthread".split()]
for name, option in {b"__asan_init": "address", b"__tsan_init": "thread", b"__ubsan_handle": "undefined"}.items():
    if name in LIBRARY.read_bytes():
        LIBS.append(f"-fsanitize={option}")
ENTRIES = {"library": "probe.so", "process": "main"}


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Builds a C source as "library" or "process", and returns the content of the file."""
    folder = tmp_path_factory.mktemp("modules")
    built = {}

    def build(kind, source=HERE / "probe.c", flags=()):
        key = (kind, source, tuple(flags))
        if key not in built:
            output = folder / f"{len(built)}"
            shared = ["-shared", "-fPIC"] if kind == "library" else []
            libs = LIBS if kind == "process" else []
            command = [os.environ.get("CC", "cc"), *CFLAGS, *flags, *shared, "-o", output, source, *libs]
            subprocess.run(command, check=True)
            built[key] = output.read_bytes()
        return built[key]

    return build


@pytest.fixture(params=["library", "process"])
def kind(request):
    return request.param


@pytest.fixture
def deploy(start, backplane, build):
    def deploy(kind, module="probe", flags=(), bind="", **settings):
        runner = start(**settings)
        runner.wait_registered()
        artefact = Artefact(ENTRIES[kind], build(kind, flags=flags), executable=kind == "process")
        backplane.add(Deployment(KEY, module, [artefact], entry=ENTRIES[kind], bind=bind))
        report = runner.deploy()
        runner.report = report

        def ask(verb, body=b"{}", **more):
            return runner.call(verb, body if isinstance(body, bytes) else json.dumps(body).encode(), module="probe", **more)

        runner.ask = ask
        return runner

    return deploy


@pytest.fixture
def probe(deploy, kind):
    runner = deploy(kind)
    assert runner.report.error == ""
    return runner


def refusal(call):
    with pytest.raises(grpc.RpcError) as refused:
        call.result()
    return refused.value.code().name, refused.value.details()


# --- answers


def test_answers(probe):
    assert probe.ask("echo", {"a": [1, "é\n"]}).result().body == b'{"a": [1, "\\u00e9\\n"]}'
    assert probe.ask("echoDirectly", b"[]").result().body == b"[]"
    assert probe.ask("changedItsMind").result().body == b'"after all"'
    large = b'"' + b"x" * (3 << 20) + b'"'
    assert probe.ask("echo", large).result().body == large


@pytest.mark.parametrize("name", ["Bob", "", 'O"Brien\\', "名前 é 🎉", "\x01\x1f\x7f\n\t", "%s%n"])
def test_text_of_every_kind(probe, name):
    response = json.loads(probe.ask("greet", {"name": name}).result().body)
    assert response == {"message": f"Hello, {name}!"}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"name":1}', b"[]", b'{"name":"x"', b'{"name":"\xff"}', b"[" * 1_000_000])
def test_a_request_that_does_not_fit(probe, body):
    assert refusal(probe.ask("greet", body)) == ("INVALID_ARGUMENT", "request.name: expected String")


def test_failures_are_answers(probe):
    for verb in ("fail", "failDirectly"):
        assert probe.ask(verb).result().error.message == "no luck with this\ufffd"
    assert "without an answer" in probe.ask("sayNothing").result().error.message
    assert "did not say why" in probe.ask("giveUp").result().error.message


def test_unknown_or_missing_targets(probe):
    assert refusal(probe.call("", module="probe")) == ("INVALID_ARGUMENT", "verb.name is missing")
    assert refusal(probe.call("echo", module="")) == ("INVALID_ARGUMENT", "verb.module is missing")
    code, text = refusal(probe.call("ecko", module="probe"))
    assert code == "NOT_FOUND" and 'no verb "ecko"; did you mean "echo"?' in text
    code, text = refusal(probe.call("echo", module="other"))
    assert code == "NOT_FOUND" and "this is probe" in text
    code, text = refusal(probe.ask("echo", b"a\0b"))
    assert code == "INVALID_ARGUMENT" and "NUL" in text


def test_lists_its_verbs(probe):
    listed = [f"{ref.module}.{ref.name}" for ref in probe.verbs.List(ftl.ListRequest(), timeout=5).verbs]
    assert listed[:3] == ["probe.echo", "probe.echoDirectly", "probe.greet"]


def test_a_verb_knows_its_call(probe):
    told = json.loads(probe.ask("tell", b"{ }", timeout=50, metadata=(("ftl-request-id", "req-7"),)).result().body).split("|")
    assert told[:3] == ["probe", "tell", KEY]
    assert os.path.isabs(told[3])
    assert told[4:] == ["req-7", "3", "1", "0"]


def test_start_and_stop(probe, backplane):
    assert probe.ask("count").result().body == b"7"
    backplane.wait_for_log("starting")
    terminate(probe, 1000)
    assert backplane.deployed.get(timeout=5).error == "terminated"
    backplane.wait_for_log("stopping with 7")


def test_a_call_has_limited_memory(probe):
    code, text = refusal(probe.ask("useMemory"))
    assert code == "RESOURCE_EXHAUSTED" and "max-call-memory" in text


def test_a_verb_may_use_much_stack(probe):
    assert probe.ask("useStack").result().body == b"{}"


def test_symbols_of_a_module_do_not_clash_with_those_of_ftl(probe):
    assert probe.ask("useOwnNames").result().body == b"42"


def test_many_calls_at_once(probe):
    calls = [probe.ask("sleep", b"300") for _ in range(100)]
    began = time.monotonic()
    assert {call.result().body for call in calls} == {b'"slept"'}
    assert time.monotonic() - began < 3
    assert {probe.ask("echo", b"1").result().body for _ in range(300)} == {b"1"}


def test_logs(probe, backplane):
    probe.ask("sleep", b"1", metadata=(("ftl-request-id", "req-9"),)).result()
    line = backplane.wait_for_log("sleeping")
    assert (line.level, line.module, line.deployment_key) == ("info", "probe", KEY)
    assert json.loads(line.attributes) == {"verb": "probe.sleep", "request_id": "req-9"}


def test_printed_lines_are_in_the_log(probe, backplane):
    probe.ask("print", b'"a line"').result()
    for _ in ("standard output", "standard error"):
        line = wait_for_line(backplane, '"a line"', "info")
        assert (line.module, line.deployment_key, line.attributes) == ("probe", KEY, "")
    probe.ask("print", {"level": "error", "message": "as JSON", "n": 3}).result()
    line = wait_for_line(backplane, "as JSON", "error")
    assert json.loads(line.attributes) == {"n": 3}
    assert "a line" not in probe.text()


def test_a_line_without_its_end_is_shown_while_the_module_runs(probe, backplane):
    probe.ask("printPart", '"no end é"'.encode()).result()
    assert wait_for_line(backplane, '"no end é"', "info").module == "probe"
    probe.ask("print", b'"next"').result()  # is a line of its own
    wait_for_line(backplane, '"next"', "info")


def wait_for_line(backplane, text, level):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for entry in list(backplane.logs):
            if (entry.message, entry.level) == (text, level):
                return entry
        time.sleep(0.01)
    raise AssertionError(f"no {level} line is {text!r}: {[entry.message for entry in backplane.logs]}")


@pytest.mark.parametrize("verb", ["printMuch", "printMuchDirectly"])
def test_more_than_a_pipe_holds_is_printed_at_once(probe, backplane, verb):
    assert probe.ask(verb, b"10000", timeout=60).result().body == b"{}"
    backplane.wait_for_log("1 bottles of beer on the wall")
    assert probe.ask("echo", b"1").result().body == b"1"


def test_a_last_line_without_its_end_is_logged(probe, backplane):
    terminate(probe, 1000)
    assert backplane.wait_for_log("good bye").level == "info"


def test_the_log_of_the_runner_is_separate(deploy, backplane):
    runner = deploy("library", log_level="debug")
    runner.ask("print", b'"printed"').result()
    backplane.wait_for_log('"printed"')
    terminate(runner, 1000)
    assert runner.wait_exit() == 0
    assert f"{KEY} is alive" in runner.text()
    assert not [entry.message for entry in backplane.logs if "is alive" in entry.message]


def test_random_bytes(probe):
    random = Random(5)
    call = probe.channel.unary_unary("/xyz.block.ftl.v1.VerbService/Call")
    codes = set()
    for _ in range(300):
        try:
            call(random.randbytes(random.choice([1, 2, 5, 20, 300])), timeout=5)
        except grpc.RpcError as failed:
            codes.add(failed.code().name)
    assert codes == {"INVALID_ARGUMENT"}
    assert probe.ask("echo", b"1").result().body == b"1"


def test_requests_have_a_limit(probe):
    code, text = refusal(probe.ask("echo", b"x" * (65 << 20)))
    assert code == "RESOURCE_EXHAUSTED" and "max-message is 67108864" in text


# --- calls out


def test_calls_another_verb(probe, backplane):
    backplane.answer = lambda request, context: ftl.CallResponse(body=b'{"got":' + request.body + b"}")
    sent = (("ftl-verb", "a.b"), ("ftl-verb", "probe.call"), ("ftl-request-id", "r1"), ("traceparent", "00-1-2-01"), ("other", "x"))
    body = {"verb": "time.time", "request": '{"zone":"é"}'}
    assert json.loads(probe.ask("call", body, timeout=30, metadata=sent).result().body) == {"got": {"zone": "é"}}
    metadata, request, context = backplane.calls[0]
    assert (request.verb.module, request.verb.name) == ("time", "time")
    carried = [tuple(pair) for pair in metadata if pair[0] in ("ftl-verb", "ftl-request-id", "traceparent", "other", "ftl-deployment")]
    assert sorted(carried, key=lambda pair: pair[0]) == sorted(sent[:4], key=lambda pair: pair[0])


def test_passes_on_the_deadline(probe, backplane):
    left = []

    def answer(request, context):
        left.append(context.time_remaining())
        return ftl.CallResponse(body=b"{}")

    backplane.answer = answer
    probe.ask("call", {"verb": "time.time"}, timeout=10).result()
    assert 5 < left[0] < 10.5  # gRPC rounds up


@pytest.mark.parametrize("verb", ["call", "callThen", "callThenDirectly"])
def test_passes_on_the_cancellation(probe, backplane, verb):
    entered, left = threading.Event(), threading.Event()

    def answer(request, context):
        context.add_callback(left.set)
        entered.set()
        left.wait(10)
        return ftl.CallResponse(body=b"{}")

    backplane.answer = answer
    call = probe.ask(verb, {"verb": "time.time"})
    assert entered.wait(5)
    call.cancel()
    assert left.wait(5)
    assert probe.ask("echoDirectly", b"1").result().body == b"1"


def test_sees_that_its_caller_has_gone(probe, backplane):
    call = probe.ask("waitForTheEnd")
    backplane.wait_for_log("waiting")
    call.cancel()
    assert backplane.wait_for_log("the caller has gone").level == "warn"


def test_sees_why_a_call_failed(probe, backplane):
    backplane.answer = lambda request, context: ftl.CallResponse(error=ftl.CallResponse.Error(message="broken clock"))
    assert probe.ask("call", {"verb": "time.time"}).result().error.message == "time.time: broken clock"
    told = json.loads(probe.ask("callAndTell", {"verb": "time.time"}).result().body)
    assert told == {"code": 2, "error": "time.time: broken clock"}

    def refuse(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "there is no module time")

    backplane.answer = refuse
    told = json.loads(probe.ask("callAndTell", {"verb": "time.time"}).result().body)
    assert told == {"code": 5, "error": "time.time: there is no module time"}
    for verb in ("time", "", "a.b.c", ".b", "a."):
        assert json.loads(probe.ask("callAndTell", {"verb": verb}).result().body)["code"] == 3
    assert "FTL_VERB_NONBLOCKING" in probe.ask("callDirectly", {"verb": "time.time"}).result().error.message


@pytest.fixture(params=["", "Directly"])
def where(request):
    """A verb on a thread, and one on the loop."""
    return request.param


def test_continues_with_the_answer(probe, backplane, where):
    backplane.answer = lambda request, context: ftl.CallResponse(body=b'{"got":' + request.body + b"}")
    sent = (("ftl-verb", "a.b"), ("ftl-request-id", "r1"), ("traceparent", "00-1-2-01"))
    body = {"verb": "time.time"}
    answer = json.loads(probe.ask("callThen" + where, body, timeout=30, metadata=sent).result().body)
    assert answer == {"answer": {"got": body}, "data": "callThen" + where}
    metadata, request, context = backplane.calls[0]
    assert (request.verb.module, request.verb.name) == ("time", "time")
    assert set(sent) <= {tuple(pair) for pair in metadata}
    assert context.time_remaining() < 31


def test_continues_with_a_failure(probe, backplane, where):
    def refuse(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "there is no module time")

    backplane.answer = refuse
    told = json.loads(probe.ask("callThen" + where, {"verb": "time.time"}).result().body)
    assert told == {"code": 5, "error": "time.time: there is no module time"}
    assert probe.ask("callThenFail" + where, {"verb": "time.time"}).result().error.message == "time.time: there is no module time"
    for verb in ("time", "", "a.b.c", None):
        assert json.loads(probe.ask("callThen" + where, {"verb": verb}).result().body)["code"] == 3


def test_continues_many_times(probe, backplane, where):
    assert probe.ask("callMany" + where, b"500", timeout=30).result().body == b'"counted"'
    assert len(backplane.calls) == 500
    assert probe.ask("callTwice" + where, b"{}").result().body == b"{}"
    assert len(backplane.calls) == 501
    assert "did not say why" in probe.ask("promise" + where).result().error.message


def test_a_verb_that_waits_on_the_loop_does_not_block_others(probe, backplane):
    released = threading.Event()
    backplane.answer = lambda request, context: released.wait(10) and ftl.CallResponse(body=b"1")
    waiting = [probe.ask("callThenFailDirectly", {"verb": "time.time"}) for _ in range(30)]
    assert probe.ask("echoDirectly", b"2").result().body == b"2"
    released.set()
    assert {one.result().body for one in waiting} == {b"1"}


def test_a_continued_call_keeps_its_deadline(probe, backplane, where):
    backplane.answer = lambda request, context: time.sleep(2) or ftl.CallResponse(body=b"{}")
    assert refusal(probe.ask("callThen" + where, {"verb": "time.time"}, timeout=0.3))[0] == "DEADLINE_EXCEEDED"
    assert probe.ask("echoDirectly", b"1").result().body == b"1"


def test_a_module_of_an_older_interface_runs(deploy, kind):
    runner = deploy(kind, flags=["-DPROBE_VERSION=1"])
    assert runner.ask("echo", b"1").result().body == b"1"


def test_calls_out_while_the_backplane_is_away(probe, backplane):
    backplane.stop()
    for verb in ("callAndTell", "callThen", "callThenDirectly"):
        told = json.loads(probe.ask(verb, {"verb": "time.time"}).result().body)
        assert told["code"] == 14


def test_calls_out_find_a_backplane_that_was_away_for_long(probe, backplane):
    """However long the Backplane was away: the last delay between two attempts is short."""
    def code():
        return json.loads(probe.ask("callAndTell", {"verb": "time.time"}).result().body).get("code")

    port = backplane.port
    backplane.stop()
    away_until = time.monotonic() + 4
    while time.monotonic() < away_until:
        assert code() == 14
        time.sleep(0.05)
    backplane.start(port)
    found_by = time.monotonic() + 2
    while code() == 14:
        assert time.monotonic() < found_by, "the Backplane is there again, and calls out do not find it"
        time.sleep(0.05)


# --- life of a shared object


def test_a_process_may_serve_on_a_socket(deploy):
    assert deploy("process", bind="unix").report.error == ""


def test_a_runner_that_loaded_a_library_is_not_used_again(deploy, backplane):
    runner = deploy("library")
    terminate(runner, 1000)
    assert backplane.deployed.get(timeout=5).error == "terminated"
    assert runner.wait_exit() == 0


def test_a_runner_that_hosted_a_process_is_used_again(deploy, backplane, build):
    runner = deploy("process")
    terminate(runner, 1000)
    backplane.deployed.get(timeout=5)
    assert runner.deploy().error == ""


def test_terminate_lets_verbs_finish(deploy, backplane, kind):
    runner = deploy(kind)
    slow = runner.ask("sleep", b"700")
    backplane.wait_for_log("sleeping")
    terminate(runner, 10000)
    assert slow.result().body == b'"slept"'
    assert backplane.deployed.get(timeout=5).error == "terminated"


def test_a_verb_that_does_not_end_ends_with_the_runner(deploy, backplane, kind):
    runner = deploy(kind, kill_timeout="300ms")
    slow = runner.ask("sleep", b"30000")
    backplane.wait_for_log("sleeping")
    terminate(runner, 200)
    code, text = refusal(slow)
    assert code == "UNAVAILABLE"
    assert backplane.deployed.get(timeout=5).error == "terminated"
    if kind == "library":
        assert runner.wait_exit() == 0


def test_a_verb_that_asks_whether_it_is_cancelled_ends_in_time(deploy, backplane):
    runner = deploy("library")
    slow = runner.ask("waitForTheEnd")
    backplane.wait_for_log("waiting")
    terminate(runner, 100)
    assert slow.result().body == b"{}"
    assert runner.wait_exit() == 0
    assert "ended with this process" not in runner.text()


def test_a_start_that_fails(deploy, backplane, kind):
    runner = deploy(kind, PROBE_START="fail")
    if kind == "library":
        assert runner.report.error == "the start of module probe failed: the database is not there"
        assert sorted(runner.report.last_lines)[:2] == ["looking for", "no route"]
        assert runner.wait_exit() == 0
    else:
        assert "main exited with status 1 before it answered Ping" in runner.report.error
        assert "probe: the start of module probe failed: the database is not there" in runner.report.last_lines


def test_a_start_that_hangs(deploy, backplane, kind):
    runner = deploy(kind, PROBE_START="hang", start_timeout="500ms")
    expected = "did not return within 500 ms" if kind == "library" else "within 500 ms; it says: the module's start is running"
    assert expected in runner.report.error
    if kind == "library":
        assert runner.wait_exit() == 0


LOADS = "#include <unistd.h>\n__attribute__((constructor)) static void load(void) { sleep(%d); }\n"


def loading(runner, backplane, build, tmp_path, seconds):
    source = tmp_path / f"loads_{seconds}.c"
    source.write_text((HERE / "probe.c").read_text() + LOADS % seconds)
    backplane.add(Deployment(KEY, "probe", [Artefact("probe.so", build("library", source=source))], entry="probe.so"))
    runner.wait_registered()
    runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)


def test_a_library_that_loads_slowly(start, backplane, build, tmp_path):
    runner = start()
    loading(runner, backplane, build, tmp_path, 2)
    # The Runner answers pings while the library loads.
    for _ in range(10):
        runner.control.Ping(ftl.PingRequest(), timeout=1)
        assert backplane.deployed.empty()
        time.sleep(0.1)
    assert backplane.deployed.get(timeout=20).error == ""
    assert runner.call("echo", b'"x"', module="probe").result().body == b'"x"'


def test_a_library_whose_loading_hangs(start, backplane, build, tmp_path):
    runner = start(start_timeout="500ms")
    loading(runner, backplane, build, tmp_path, 1000)
    assert backplane.deployed.get(timeout=20).error == "the loading of probe.so did not end within 500 ms"
    assert runner.wait_exit() == 0


def test_a_library_that_is_stopped_while_it_loads(start, backplane, build, tmp_path):
    runner = start(kill_timeout="500ms")
    loading(runner, backplane, build, tmp_path, 1000)
    time.sleep(0.3)
    runner.process.send_signal(signal.SIGTERM)
    assert runner.wait_exit() == 0


def test_a_crash_of_a_process(deploy, backplane):
    runner = deploy("process")
    code, text = refusal(runner.ask("crash"))
    assert code == "UNAVAILABLE" and "may have run" in text
    assert backplane.deployed.get(timeout=5).error == "main was killed by SIGABRT (Aborted)"


def test_a_crash_of_a_library_leaves_its_last_words(deploy):
    runner = deploy("library")
    runner.ask("crash").exception()
    assert runner.process.wait(20) == -signal.SIGABRT
    runner.reader.join(10)
    assert "about to crash" in runner.text()
    assert (runner.folder / "last-words").read_text() == "about to crash"
    shutil.rmtree(runner.folder)  # as the Platform does
    runner.folder.mkdir()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer tells of it in its own way")
@pytest.mark.parametrize("verb", ["recurse", "recurseDirectly"])
def test_a_stack_overflow_is_reported(deploy, verb):
    runner = deploy("library")
    runner.ask(verb).exception()
    assert runner.process.wait(20) == -signal.SIGSEGV
    assert (runner.folder / "last-words").read_text() == "going deep\nthe stack of a thread is used up\n"
    shutil.rmtree(runner.folder)  # as the Platform does
    runner.folder.mkdir()


def test_versions(deploy, kind):
    runner = deploy(kind, flags=["-DPROBE_VERSION=9"])
    told = runner.report.error + "".join(runner.report.last_lines)
    assert "the module was built for version 9 of ftl/module.h, and this Runner knows versions 1 to 3" in told


def test_a_module_deployed_under_another_name(deploy, kind):
    runner = deploy(kind, module="child")
    told = runner.report.error + "".join(runner.report.last_lines)
    assert "the module probe, and was deployed as child" in told


@pytest.mark.parametrize("content", [b"no shared object", b""])
def test_a_file_that_is_no_shared_object(start, backplane, content):
    runner = start()
    runner.wait_registered()
    backplane.add(Deployment(KEY, "probe", [Artefact("probe.so", content)], entry="probe.so"))
    assert "probe.so: could not be loaded" in runner.deploy().error


def test_a_library_without_the_constant(start, backplane, build, tmp_path):
    source = tmp_path / "empty.c"
    source.write_text("int nothing;\n")
    runner = start()
    runner.wait_registered()
    backplane.add(Deployment(KEY, "probe", [Artefact("probe.so", build("library", source=source))], entry="probe.so"))
    assert "exports no constant ftl_module" in runner.deploy().error


# --- programs that a verb starts


@pytest.mark.parametrize("verb", ["runProgram", "runProgramDirectly"])
def test_a_program_that_a_verb_starts_has_signals_and_files_as_usual(probe, verb):
    def printed_by(command):
        return json.loads(probe.ask(verb, {"command": command}).result().body)

    status = printed_by("cat /proc/self/status")
    for name in ("SigBlk", "SigIgn"):
        # glibc's popen() ignores two signals that glibc alone uses, 32 and 33.
        assert int(re.search(rf"{name}:\s+(\w+)", status).group(1), 16) & 0x7FFFFFFF == 0, status
    # A program that writes into a closed pipe is ended by SIGPIPE, and one that is told to end, ends.
    assert printed_by("sh -c 'yes; echo $? >&2' 2>&1 | head -n 1; sh -c 'kill -TERM $$; echo deaf'") == "y\n"
    # Nothing of the Runner's is open: its sockets, pipes and files.
    assert printed_by("ls /proc/self/fd").split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_a_program_with_closed_streams_prints_into_no_socket(build, tmp_path, closed):
    main = tmp_path / "main"
    main.write_bytes(build("process"))
    main.chmod(0o700)
    environment = {**os.environ, "FTL_BIND": f"unix:{tmp_path}/s", "FTL_MODULE": "probe"}
    shell = " ".join(["exec", str(main), *(f"{number}>&-" for number in closed)])
    process = subprocess.Popen(["sh", "-c", shell], env=environment)
    with grpc.insecure_channel(environment["FTL_BIND"]) as channel:
        verbs = ftl_grpc.VerbServiceStub(channel)
        for _ in range(2):
            request = ftl.CallRequest(verb=schema.VerbRef(module="probe", name="print"), body=b'{"text":"x"}')
            verbs.Call(request, timeout=LONG, wait_for_ready=True)
        opened = {int(path.name): os.readlink(path) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG) == 0
    assert all(opened[number] == "/dev/null" for number in closed), opened


# --- by hand


def test_a_process_says_which_variable_it_needs(build, tmp_path):
    main = tmp_path / "main"
    main.write_bytes(build("process"))
    main.chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FTL_")}
    result = subprocess.run([main], env=environment, capture_output=True, text=True, timeout=10)
    assert result.returncode == 1
    assert result.stderr.startswith("probe: FTL_BIND is not set")
    result = subprocess.run([main], env={**environment, "FTL_BIND": "nowhere"}, capture_output=True, text=True, timeout=10)
    assert result.returncode == 1
    assert result.stderr.startswith('probe: FTL_BIND: "nowhere" is not an endpoint')


def test_a_process_ends_in_order(build, tmp_path):
    main = tmp_path / "main"
    main.write_bytes(build("process"))
    main.chmod(0o700)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FTL_")}
    environment["FTL_BIND"] = f"unix:{tmp_path}/s"
    process = subprocess.Popen([main], env=environment, stdout=subprocess.PIPE, text=True)
    with grpc.insecure_channel(environment["FTL_BIND"]) as channel:
        grpc.channel_ready_future(channel).result(timeout=5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert not (tmp_path / "s").exists()
    *said, printed = process.stdout
    assert [json.loads(line)["message"] for line in said] == ["starting", "stopping with 7"]
    assert printed == "good bye"


# --- the examples


EXAMPLES = {"time": ("time.so", False), "echo": ("main", True)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(start, backplane, name, tmp_path):
    entry, executable = EXAMPLES[name]
    folder = tmp_path / name
    subprocess.run(["cp", "-r", ROOT / "examples" / name, folder], check=True)
    command = next(line for line in (folder / "ftl.toml").read_text().splitlines() if line.startswith("build = "))
    environment = {**os.environ, "FTL_CFLAGS": shlex.join(CFLAGS), "FTL_LIBS": shlex.join(LIBS)}
    subprocess.run(["sh", "-c", json.loads(command.removeprefix("build = "))], cwd=folder, env=environment, check=True)
    artefact = Artefact(entry, (folder / entry).read_bytes(), executable=executable)
    backplane.add(Deployment(KEY, name, [artefact], entry=entry, bind="unix"))
    runner = start()
    runner.wait_registered()
    assert runner.deploy().error == ""
    if name == "time":
        answer = json.loads(runner.call("time", module="time").result().body)
        assert abs(time.time() - time.mktime(time.strptime(answer["time"][:19] + "GMT", "%Y-%m-%dT%H:%M:%S%Z")) + time.timezone) < 5
        return
    backplane.answer = lambda request, context: ftl.CallResponse(body=b'{"time":"2026-01-02T03:04:05.678Z"}')
    answer = json.loads(runner.call("echo", b'{"name":"Bob"}', module="echo").result().body)
    assert answer == {"message": "Hello, Bob! The time is 2026-01-02T03:04:05.678Z."}
    assert refusal(runner.call("echo", b"{}", module="echo"))[0] == "INVALID_ARGUMENT"
