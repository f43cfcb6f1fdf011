# SPDX-License-Identifier: Apache-2.0
"""The command line, the Backplane, Runners of its Platform, and the examples together."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import (
    FTL,
    HERE,
    LONG,
    PROGRAM,
    SANITIZED,
    artefact,
    deploy_program,
    is_running,
    memory_peak,
    module,
    pid_that_answers,
    processes_that_name,
    wait_for,
)

EXAMPLES = HERE.parents[1] / "examples"
ANSWER = re.compile(r'\{"message":"Hello, Bob! The time is \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\."\}\n')


@pytest.fixture
def platform(make_backplane, monkeypatch, request):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    more = getattr(request, "param", ())
    return make_backplane("--start-timeout", "20s", "--drain-timeout", "10s", *more).start()


@pytest.fixture
def ftl_command(platform, tmp_path):
    """Runs the command line against the Backplane in a folder with a copy of the examples, which tests may change."""
    work = tmp_path / "work"
    shutil.copytree(EXAMPLES, work / "examples")

    def run(*arguments, code=0, timeout=60, **options):
        python = os.path.dirname(sys.executable)
        environment = {**os.environ, "FTL_ENDPOINT": platform.endpoint, "HOME": str(tmp_path)}
        environment["PATH"] = f"{python}:{FTL.parent}:{environment['PATH']}"
        result = subprocess.run(
            [FTL, *arguments], cwd=work, env=environment, capture_output=True, text=True, timeout=timeout, **options
        )
        assert result.returncode == code, (result.stdout, result.stderr, platform.log())
        return result

    run.folder = work
    return run


def threads_that_receive(pid, number):
    masks = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        blocked = re.search(r"^SigBlk:\s*([0-9a-f]+)$", (thread / "status").read_text(), re.MULTILINE).group(1)
        masks[int(thread.name)] = int(blocked, 16)
    assert len(masks) > 1
    return [thread for thread, blocked in masks.items() if not blocked & 1 << number - 1]


def cpu_seconds(pids):
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def test_the_examples_call_each_other(platform, ftl_command):
    ftl_command("deploy", "examples/time", "examples/echo", "examples/greeter")
    echo = ftl_command("call", "echo.echo", '{"name":"Bob"}')
    assert ANSWER.fullmatch(echo.stdout)
    greeter = ftl_command("call", "greeter.greet", '{"name":"Bob"}')
    assert "Hello, Bob! The time is " in json.loads(greeter.stdout)["message"]
    shown = ftl_command("ps").stdout
    assert all(name in shown for name in ("time", "echo", "greeter", "live"))
    # Deploying the same again starts no Runner.
    before = {one.key for one in platform.runners("alive")}
    ftl_command("deploy", "examples/time", "examples/echo", "examples/greeter")
    assert {one.key for one in platform.runners("alive")} == before
    # All Runners survive the kill of the Backplane: those of shared objects and of processes.
    platform.kill()
    platform.start()
    wait_for(lambda: len(platform.runners("alive")) == 3, "the Runners")
    assert {one.key for one in platform.runners("alive")} == before
    assert ANSWER.fullmatch(ftl_command("call", "echo.echo", '{"name":"Bob"}').stdout)


def test_a_chain_through_our_runners(platform, ftl_command):
    ftl_command("deploy", "examples/time", "examples/echo")
    request = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b'{"name":"Bob"}')
    # The last verb of the chain is the caller. Its module is unknown, so its declared calls are not checked.
    looped = [("ftl-verb", "time.time"), ("ftl-verb", "someone.else")]
    answer = platform.verbs.Call(request, timeout=LONG)
    assert b"Hello, Bob" in answer.body
    # The module passes the chain of its caller on in its own call, where the loop is found.
    try:
        answer = platform.verbs.Call(request, timeout=LONG, metadata=looped)
        text = answer.error.message
    except grpc.RpcError as error:
        text = error.details()
    assert "time.time → someone.else → echo.echo → time.time" in text


@pytest.mark.parametrize("platform", [("--busy-poll", "200")], indirect=True)
def test_calls_through_threads_that_poll(platform, ftl_command):
    ftl_command("deploy", "examples/time", "examples/echo")
    assert ANSWER.fullmatch(ftl_command("call", "echo.echo", '{"name":"Bob"}').stdout)
    for runner in platform.runners("alive"):
        assert [line for _, line in processes_that_name(runner.key) if "--busy-poll 200" in line]
    # An idle process sleeps instead of polling.
    pids = [platform.process.pid] + [pid for pid, line in processes_that_name("--busy-poll 200") if "runner" in line]
    before = cpu_seconds(pids)
    time.sleep(1)
    assert cpu_seconds(pids) - before < 0.5


def test_closed_standard_streams_are_opened_on_dev_null(tmp_path):
    command = f"exec {FTL} serve --data {tmp_path}/data --bind unix:{tmp_path}/socket <&- >&- 2>&-"
    process = subprocess.Popen(["sh", "-c", command])
    wait_for((tmp_path / "socket").exists, "the socket")
    assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)} == {"/dev/null"}
    process.terminate()
    assert process.wait(LONG) == 0
    told = subprocess.run(["sh", "-c", f"exec {FTL} version >&-"], stderr=subprocess.PIPE, text=True)
    assert (told.returncode, told.stderr) == (1, "error: could not write to standard output: Bad file descriptor\n")


def test_one_thread_receives_signals(platform, ftl_command):
    source = ftl_command.folder / "examples/time/time.c"
    source.write_text(source.read_text().replace(", .flags = FTL_VERB_NONBLOCKING", ""))
    ftl_command("deploy", "examples/time")
    ftl_command("call", "time.time", "{}")
    (runner,) = platform.runners("alive")
    ((pid, _),) = [one for one in processes_that_name(runner.key) if "runner" in one[1].split()]
    assert threads_that_receive(platform.process.pid, signal.SIGTERM) == [platform.process.pid]
    # Threads that run verbs block nothing, as programs that those start inherit it; Linux prefers the main thread.
    assert pid in threads_that_receive(pid, signal.SIGTERM)
    for process in (platform.process.pid, pid):
        assert process in threads_that_receive(process, signal.SIGSEGV)
        assert len(threads_that_receive(process, signal.SIGSEGV)) > 1


def test_a_shared_object_is_not_loaded_over_another(platform, ftl_command):
    ftl_command("deploy", "examples/time")
    (first,) = platform.runners("alive")
    ((pid, _),) = [one for one in processes_that_name(first.key) if "runner" in one[1].split()]
    path = ftl_command.folder / "examples/time/time.ftl"
    ftl_command("kill", "time")
    wait_for(lambda: not is_running(pid), "the end of the Runner that loaded the shared object")
    ftl_command("deploy", "examples/time")
    (second,) = platform.runners("alive")
    assert second.key != first.key
    assert path.exists()


def test_a_crash_of_a_shared_object_is_reported(platform, ftl_command):
    source = ftl_command.folder / "examples/time/time.c"
    crash = "#include <stdio.h>\n#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) "
    source.write_text(source.read_text() + crash + '{ puts("last words"); fflush(stdout); abort(); }\n')
    told = ftl_command("deploy", "examples/time", code=1).stderr
    assert re.search(r"failed: the Runner rnr-c-\w+ was killed by signal 6 \(Aborted\)\n", told), told
    assert told.count("  | last words\n") == 3, told  # one for each attempt
    assert "\nlast words\n" in platform.log()


CRASH = """
#include <stdio.h>
#include <stdlib.h>
#include <ftl/module.h>

static int boom(struct ftl_context *ftl) {
	printf("\\033[31mlooking at %s\\n", ftl->request);
	fprintf(stderr, "no way out\\n");
	abort();
}

FTL_MODULE("time", {.name = "time", .run = boom});
"""


@pytest.mark.parametrize("flags", ["", ", .flags = FTL_VERB_NONBLOCKING"], ids=["thread", "loop"])
def test_the_last_words_of_a_crash_in_a_call_are_in_its_events(platform, ftl_command, flags):
    (ftl_command.folder / "examples/time/time.c").write_text(CRASH.replace(".run = boom", f".run = boom{flags}"))
    ftl_command("deploy", "examples/time")
    (before,) = platform.runners("alive")
    ftl_command("call", "time.time", "{}", code=1)
    wait_for(lambda: [one for one in platform.runners("alive") if one.key != before.key], "another Runner")
    told = ftl_command("events", "time").stdout
    assert re.search(r"the Runner \S+ was killed by signal 6 \(Aborted\); trying again.*\n  \|  \[31mlooking at {}\n"
                     r"  \| no way out\n", told), told
    wait_for(lambda: not list(platform.data.glob(f"run/{before.key}*")), "the files of the dead Runner to be removed")


def test_last_words_that_are_a_pipe_delay_nobody(platform, ftl_command):
    stray = 'char path[1000]; snprintf(path, sizeof path, "%s/../last-words", ftl->working_dir); mkfifo(path, 0600);'
    source = CRASH.replace("\tprintf(", stray + " printf(").replace("<stdlib.h>", "<stdlib.h>\n#include <sys/stat.h>")
    (ftl_command.folder / "examples/time/time.c").write_text(source)
    ftl_command("deploy", "examples/time")
    (before,) = platform.runners("alive")
    ftl_command("call", "time.time", "{}", code=1)
    wait_for(lambda: [one for one in platform.runners("alive") if one.key != before.key], "another Runner")
    told = ftl_command("events", "time").stdout
    assert "killed by signal 6 (Aborted)" in told and "no way out" not in told
    assert "no way out" in platform.log()


def test_an_early_exit_of_a_program_is_reported(platform):
    program = b"#!/bin/sh\necho setting up\necho 'no such file: config' >&2\nexit 3\n"
    begin = time.monotonic()
    key = platform.deploy(module(language="sh"), {"main": program})
    last = platform.watch(key)[-1]
    assert last.state == ftl.DEPLOYMENT_STATE_FAILED
    assert "3" in last.text
    assert "no such file: config" in list(last.last_lines)
    assert time.monotonic() - begin < LONG


def test_a_program_that_never_answers_is_ended(make_backplane):
    backplane = make_backplane("--start-timeout", "1s").start()
    program = b"#!/bin/sh\necho waiting\nsleep 300 & sleep 300\n"
    key = backplane.deploy(module(language="sh"), {"main": program})
    last = backplane.watch(key)[-1]
    assert last.state == ftl.DEPLOYMENT_STATE_FAILED
    assert "1s" in last.text or "1000 ms" in last.text or "1 s" in last.text, last.text
    assert list(last.last_lines) == ["waiting"]
    children = [line for _, line in processes_that_name(key)]
    assert not children


def test_a_program_that_dies_is_replaced(platform):
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid_that_answers(platform) != pid, "another one")
    assert platform.status().deployments[0].state == ftl.DEPLOYMENT_STATE_LIVE


HELPER = b"""#!/bin/sh
setsid sleep 1000 &
echo $! > %s
exec ./program
"""


@pytest.mark.parametrize("backplane_is", ["there", "killed", "replaced"])
def test_what_the_program_of_a_killed_runner_started_is_ended(platform, tmp_path, backplane_is):
    pid_file = tmp_path / "helper"
    for path, content in (files := {"main": HELPER % str(pid_file).encode(), "program": PROGRAM}).items():
        platform.upload(content)
    artefacts = [artefact(path, content, executable=True) for path, content in files.items()]
    platform.wait_live(platform.create(module(verbs=["echo", "sleep"], language="python"), artefacts).deployment_key)
    helper = int(pid_file.read_text())
    assert is_running(helper)
    (runner,) = platform.runners("alive")
    ((pid, _),) = [one for one in processes_that_name(runner.key) if "runner" in one[1].split()]
    if backplane_is == "killed":
        platform.kill()
    os.kill(pid, signal.SIGKILL)
    if backplane_is != "there":
        platform.start(*["--takeover"] * (backplane_is == "replaced"))
    wait_for(lambda: not is_running(helper), "the end of what the program started")
    # The helper of the next Runner runs until the Backplane is stopped.
    wait_for(lambda: pid_file.read_text().strip() not in ("", str(helper)), "another one")
    pid_that_answers(platform)
    helper = int(pid_file.read_text())
    assert is_running(helper)
    platform.stop()
    assert not is_running(helper)


def test_a_program_that_dies_during_a_call(platform, refused):
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    call = platform.call_future("echo.sleep")
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    with refused("UNAVAILABLE", "may have run"):
        call.result()


def test_no_call_is_lost_while_programs_are_replaced(platform):
    platform.wait_live(deploy_program(platform, replicas=2))
    failed, done, stop = [], [0], threading.Event()

    def caller():
        while not stop.is_set():
            try:
                platform.call("echo.echo")
                done[0] += 1
            except grpc.RpcError as error:
                failed.append((error.code(), error.details()))

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    for version in range(2):
        platform.wait_live(deploy_program(platform, comments=[str(version)]))
    stop.set()
    for thread in callers:
        thread.join(LONG)
    assert failed == [] and done[0] > 0


def test_logs_of_a_program_arrive(platform):
    program = PROGRAM.replace(b"server.start()", b"server.start(); print('it runs', flush=True)")
    platform.wait_live(platform.deploy(module(verbs=["echo"], language="python"), {"main": program}))

    def lines():
        stream = platform.rpc.StreamLogs(ftl.StreamLogsRequest(module="echo", tail=10), timeout=LONG)
        return [response.entry.message for response in stream]

    wait_for(lambda: "it runs" in lines(), "the line")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory of its own")
def test_a_gigabyte_through_our_runner_in_64_megabytes(platform):
    size = 1 << 30
    message = ftl.UploadArtefactRequest(content=bytes(4 << 20))
    digest = platform.rpc.UploadArtefact((message for _ in range(size >> 22)), timeout=120).digest.hex()
    platform.upload(PROGRAM)
    files = [artefact("main", PROGRAM, True), ftl.DeploymentArtefact(digest=digest, path="large")]
    key = platform.create(module(verbs=["echo"], language="python"), files).deployment_key
    platform.wait_live(key, 120)
    (runner,) = platform.runners("alive")
    ((pid, _),) = [one for one in processes_that_name(runner.key) if "runner" in one[1].split()]
    assert memory_peak(pid) < 64 << 20
    assert memory_peak(platform.process.pid) < 64 << 20
    (large,) = platform.data.rglob("run/**/large")
    assert large.stat().st_size == size


def test_damaged_content_never_runs(platform):
    data = b"d" * 100_000
    platform.upload(data)
    platform.upload(PROGRAM)
    path = next(path for path in (platform.data / "artefacts").rglob(artefact("", data).digest) if path.is_file())
    path.chmod(0o600)
    path.write_bytes(b"e" * len(data))
    schema_ = module(verbs=["echo"], language="python")
    key = platform.create(schema_, [artefact("main", PROGRAM, True), artefact("data", data)]).deployment_key
    last = platform.watch(key)[-1]
    assert last.state == ftl.DEPLOYMENT_STATE_FAILED, last
    assert "damaged" in last.text and "deploy again" in last.text
    platform.upload(data)
    platform.create(schema_, [artefact("main", PROGRAM, True), artefact("data", data)])
    platform.wait_live(key)
