# SPDX-License-Identifier: Apache-2.0
"""`ftl runner` against a Backplane on grpcio and child processes in Python."""

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import grpc
import pytest
from fake_backplane import ftl, ftl_grpc, schema
from runner_backplane import Artefact, Deployment, RunnersBackplane
from harness import SANITIZED, wait_for

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("FTL_BUILD", HERE.parents[1] / "build"))
FTL = BUILD / "ftl"
is_plain = pytest.mark.skipif(SANITIZED, reason="a sanitizer needs memory too")
CHILD = (HERE / "child.py").read_bytes().replace(b"#!/usr/bin/env python3", f"#!{sys.executable}".encode(), 1)
KEY = "dpl-child-0123456789abc"


@pytest.fixture
def backplane():
    backplane = RunnersBackplane()
    yield backplane
    backplane.stop()


class Runner:
    """`ftl runner` as a person starts it. Settings are options; those in upper case are environment variables."""

    def __init__(self, backplane, folder, **settings):
        environment = {**os.environ, "TEST_PYTHON_PATH": json.dumps(sys.path)}
        environment.update({name: value for name, value in settings.items() if name.isupper()})
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items() if not name.isupper()]
        self.folder = folder
        self.backplane = backplane
        command = [FTL, "runner", "--language=test", f"--endpoint={backplane.endpoint}", f"--work-folder={folder}", *options]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.said = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.channel = None

    def read(self):
        for line in self.process.stderr:
            self.said.append(line)
            sys.stderr.write(line)

    def wait_registered(self, timeout=10):
        self.registration = self.backplane.registrations.get(timeout=timeout)
        address = self.registration.endpoint.removeprefix("http://")
        self.channel = grpc.insecure_channel(address)
        self.control = ftl_grpc.RunnerServiceStub(self.channel)
        self.verbs = ftl_grpc.VerbServiceStub(self.channel)
        return self.registration

    def deploy(self, key=KEY, timeout=15):
        self.control.Deploy(ftl.DeployRequest(deployment_key=key), timeout=2)
        return self.backplane.deployed.get(timeout=timeout)

    def call(self, verb, body=b"{}", timeout=20, metadata=(), module="child"):
        request = ftl.CallRequest(verb=schema.VerbRef(module=module, name=verb), body=body)
        return self.verbs.Call.future(request, timeout=timeout, metadata=(("ftl-deployment", KEY), *metadata))

    def wait_exit(self, timeout=10):
        code = self.process.wait(timeout)
        self.reader.join()
        return code

    def text(self):
        return "".join(self.said)


@pytest.fixture
def start(backplane, tmp_path):
    runners = []

    def start(**settings):
        runner = Runner(backplane, tmp_path / f"work{len(runners)}", **settings)
        runners.append(runner)
        return runner

    yield start
    for runner in runners:
        if runner.channel:
            runner.channel.close()
        if runner.process.poll() is None:
            runner.process.terminate()
            try:
                assert runner.wait_exit(15) == 0
            except subprocess.TimeoutExpired:
                runner.process.kill()
                raise
        assert "ERROR: " not in runner.text(), "a sanitizer found something"
        assert list(runner.folder.iterdir()) == []


@pytest.fixture
def runner(start):
    runner = start()
    runner.wait_registered()
    return runner


def child(key=KEY, **settings):
    return Deployment(key, "child", [Artefact("main", CHILD, executable=True)], **settings)


def script(text, key=KEY, executable=True, **settings):
    return Deployment(key, "child", [Artefact("main", text.encode(), executable=executable)], **settings)


def is_running(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def wait_gone(pid, timeout=5):
    until = time.monotonic() + timeout
    while is_running(pid):
        assert time.monotonic() < until, f"process {pid} is still there"
        time.sleep(0.01)


def child_pid(runner):
    return json.loads(runner.call("environment").result().body)["pid"]


# --- registration


def test_registers_with_its_key_language_and_endpoint(start, backplane):
    registration = start(key="run-mine-1").wait_registered()
    assert registration.language == "test"
    assert registration.runner_key == "run-mine-1"
    assert registration.deployment_key == ""
    assert registration.endpoint.startswith("http://127.0.0.1:")


def test_uses_the_key_that_the_backplane_assigns(runner, backplane):
    backplane.add(child())
    assert runner.registration.runner_key == ""
    assert runner.deploy().runner_key == "run-test-1"


@pytest.mark.parametrize("code", ["ALREADY_EXISTS", "FAILED_PRECONDITION", "INVALID_ARGUMENT"])
def test_ends_when_it_is_refused(start, backplane, code):
    backplane.refuse = (grpc.StatusCode[code], "there is one already")
    runner = start()
    assert runner.wait_exit() == 1
    assert "does not accept this Runner: there is one already" in runner.text()


def test_tries_again_when_the_backplane_is_not_there_yet(start, backplane):
    port = backplane.port
    backplane.stop()
    runner = start()
    time.sleep(0.5)
    backplane.start(port)
    runner.wait_registered()


def test_tries_again_after_an_error_that_may_pass(start, backplane):
    backplane.refuse = (grpc.StatusCode.UNAVAILABLE, "starting")
    runner = start()
    time.sleep(0.3)
    backplane.refuse = None
    runner.wait_registered()


def test_says_why_it_is_not_registered(start, backplane):
    backplane.refuse = (grpc.StatusCode.UNAVAILABLE, "starting")
    runner = start()
    wait_for(lambda: "not registered with the Backplane" in runner.text(), "the reason", 5)
    assert ": starting" in runner.text()
    time.sleep(1)
    assert runner.text().count("not registered") == 1
    backplane.refuse = None
    runner.wait_registered()


@pytest.mark.parametrize("ending", ["in order", "by an error"])
def test_backs_off_when_registrations_end_at_once(start, backplane, ending):
    backplane.ends_at_once = ending
    runner = start()
    runner.wait_registered()
    began = time.monotonic()
    while time.monotonic() < began + 4:
        time.sleep(0.1)
    # Delays of 50, 100, 200, 400, 800, 1600 ms and so on, each of them halved at most. After an error at most 250 ms.
    least, most = (4, 9) if ending == "in order" else (10, 35)
    assert least <= backplane.registrations.qsize() + 1 <= most
    assert "at once" in runner.text()
    assert len(runner.said) < 10
    backplane.ends_at_once = None
    backplane.registrations.queue.clear()
    runner.wait_registered()


def test_registers_again_with_its_deployment(runner, backplane):
    backplane.add(child())
    runner.deploy()
    port = backplane.port
    backplane.stop()
    assert runner.call("echo", b'"meanwhile"').result().body == b'"meanwhile"'
    backplane.start(port)
    began = time.monotonic()
    registration = runner.wait_registered()
    assert time.monotonic() - began < 2
    assert registration.runner_key == "run-test-1"
    assert registration.deployment_key == KEY


def test_stops_when_no_backplane_comes_back(start, backplane):
    runner = start(orphan_timeout="600ms")
    runner.wait_registered()
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    time.sleep(0.8)
    assert runner.process.poll() is None
    backplane.stop()
    assert runner.wait_exit() == 0
    assert "no Backplane at" in runner.text()
    assert not is_running(pid)


# --- deploying a child process


def test_hosts_a_child_process(runner, backplane):
    backplane.add(child())
    report = runner.deploy()
    assert (report.error, report.deployment_key) == ("", KEY)
    assert report.fetch_us > 0 and report.start_us > 0
    assert runner.call("echo", '"é"'.encode()).result().body == '"é"'.encode()
    listed = runner.verbs.List(ftl.ListRequest(), timeout=5)
    assert [(verb.module, verb.name) for verb in listed.verbs] == [("child", "echo")]
    assert runner.verbs.Ping(ftl.PingRequest(), timeout=5).not_ready == ""


def test_answers_json_as_the_backplane_does(runner, backplane):
    backplane.add(child())
    runner.deploy()
    connection = http.client.HTTPConnection(runner.registration.endpoint.removeprefix("http://"), timeout=20)
    body = json.dumps({"verb": {"module": "child", "name": "echo"}, "body": base64.b64encode(b'{"a":1}').decode()})
    headers = {"Content-Type": "application/json", "FTL-Deployment": KEY}
    connection.request("POST", "/xyz.block.ftl.v1.VerbService/Call", body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert response.status == 200
    assert base64.b64decode(answer["body"]) == b'{"a":1}'


def test_the_environment_and_files_of_a_child(runner, backplane):
    files = [Artefact("main", CHILD, executable=True), Artefact("data/deep/file", b"x" * 3000), Artefact("empty", b"")]
    backplane.add(Deployment(KEY, "child", files))
    runner.deploy()
    told = json.loads(runner.call("environment").result().body)
    assert told["FTL_BIND"].startswith("http://127.0.0.1:")
    assert told["FTL_ENDPOINT"] == backplane.endpoint
    assert (told["FTL_MODULE"], told["FTL_DEPLOYMENT"]) == ("child", KEY)
    assert told["cwd"] == str(runner.folder / KEY)
    assert told["files"] == ["data", "empty", "main"]
    assert told["stdin"] == "/dev/null"
    working = Path(told["FTL_WORKING_DIR"])
    assert working.is_dir() and working != runner.folder / KEY
    assert (runner.folder / KEY / "data/deep/file").read_bytes() == b"x" * 3000
    assert (runner.folder / KEY / "main").stat().st_mode & 0o777 == 0o700
    assert (runner.folder / KEY / "empty").stat().st_mode & 0o777 == 0o600


def test_a_child_may_serve_on_a_socket(runner, backplane):
    backplane.add(child(bind="unix"))
    assert runner.deploy().error == ""
    told = json.loads(runner.call("environment").result().body)
    assert told["FTL_BIND"].startswith(f"unix:{told['FTL_WORKING_DIR']}/")


def test_the_same_deployment_again_is_accepted_and_another_refused(runner, backplane):
    backplane.add(child())
    runner.deploy()
    runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)
    with pytest.raises(grpc.RpcError) as refused:
        runner.control.Deploy(ftl.DeployRequest(deployment_key="dpl-other-1"), timeout=2)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert KEY in refused.value.details()


@pytest.mark.parametrize("key", ["", "../x", "a/b", "x" * 200])
def test_a_bad_key_is_refused(runner, key):
    with pytest.raises(grpc.RpcError) as refused:
        runner.control.Deploy(ftl.DeployRequest(deployment_key=key), timeout=2)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_calls_before_a_deployment_or_for_another_are_refused(runner, backplane):
    assert runner.verbs.Ping(ftl.PingRequest(), timeout=5).not_ready == "nothing is deployed here"
    backplane.add(child())
    runner.deploy()
    request = ftl.CallRequest(verb=schema.VerbRef(module="child", name="echo"))
    with pytest.raises(grpc.RpcError) as refused:
        runner.verbs.Call(request, timeout=2, metadata=(("ftl-deployment", "dpl-other-1"),))
    # grpcio retries a refused stream before it reports the error.
    assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert runner.verbs.Call(request, timeout=5).body == b""


@is_plain
def test_a_large_deployment_takes_little_memory(runner, backplane):
    chunk = os.urandom(1 << 20)
    count = 200
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(chunk)
    large = Artefact("large", b"", digest=digest.hexdigest(), pieces=(chunk for _ in range(count)))
    backplane.add(Deployment(KEY, "child", [Artefact("main", CHILD, executable=True), large]))
    runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)
    while backplane.deployed.empty():
        runner.control.Ping(ftl.PingRequest(), timeout=2)
        time.sleep(0.05)
    assert backplane.deployed.get().error == ""
    status = Path(f"/proc/{runner.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 64 << 10


# --- failures before the deployment is alive


FAILURES = {
    "early exit": ("#!/bin/sh\necho to stdout\necho to stderr >&2\nexit 3\n", "main exited with status 3 before it answered Ping"),
    "signal": ("#!/bin/sh\nkill -SEGV $$\n", "main was killed by SIGSEGV (Segmentation fault)"),
    "interpreter": ("#!/nonexistent/python\n", 'its first line is "#!/nonexistent/python", and there is no such program'),
    "no program": ("just text\n", "neither a program"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_start_is_reported_at_once(runner, backplane, case):
    text, expected = FAILURES[case]
    backplane.add(script(text))
    began = time.monotonic()
    report = runner.deploy()
    assert time.monotonic() - began < 2
    assert expected in report.error
    assert (report.deployment_key, report.runner_key) == (KEY, "run-test-1")
    if case == "early exit":
        assert sorted(report.last_lines) == ["to stderr", "to stdout"]
    # The Runner is idle again, and takes another deployment.
    backplane.add(child())
    assert runner.deploy().error == ""


def test_only_the_last_20_lines_are_kept(runner, backplane):
    backplane.add(script("#!/bin/sh\nseq 1 100\nexit 1\n"))
    assert list(runner.deploy().last_lines) == [str(number) for number in range(81, 101)]


def test_an_entry_that_is_not_executable(runner, backplane):
    backplane.add(script("#!/bin/sh\n", executable=False))
    assert 'the entry "main" is not executable' in runner.deploy().error


def test_an_entry_that_is_not_there(runner, backplane):
    backplane.add(script("#!/bin/sh\n", entry="server"))
    assert 'the entry "server" is not among the 1 files' in runner.deploy().error


def test_a_child_that_never_comes_alive_is_killed_with_all_that_it_started(start, backplane, tmp_path):
    runner = start(start_timeout="500ms")
    runner.wait_registered()
    pids = tmp_path / "pids"
    started = f"sleep 100 &\necho $$ $! > {pids}\nsetsid sleep 100 &\necho $! >> {pids}\n"
    backplane.add(script(f"#!/bin/sh\ntrap '' TERM\n{started}echo waiting\nwait\nsleep 100\n"))
    report = runner.deploy()
    assert "main did not answer Ping on FTL_BIND=http://127.0.0.1:" in report.error
    assert "within 500 ms" in report.error
    assert list(report.last_lines) == ["waiting"]
    for pid in pids.read_text().split():
        wait_gone(int(pid))
    assert list(runner.folder.iterdir()) == []


# Processes that leave the group and the session of the child; the parent of one of them exits first.
ESCAPES = """#!/bin/sh
setsid sh -c 'trap "" TERM HUP; echo $$ >> {pids}; sleep 100 & echo $! >> {pids}; wait' &
(setsid sh -c 'echo $$ >> {pids}; exec sleep 100' &)
while [ "$(wc -l < {pids})" -lt 3 ]; do sleep 0.01; done
exit 4
"""


def test_an_early_exit_ends_all_processes_that_the_child_started(runner, backplane, tmp_path):
    pids = tmp_path / "pids"
    pids.touch()
    backplane.add(script(ESCAPES.format(pids=pids)))
    began = time.monotonic()
    assert runner.deploy().error == "main exited with status 4 before it answered Ping"
    assert time.monotonic() - began < 3
    for pid in pids.read_text().split():
        wait_gone(int(pid))
    assert list(runner.folder.iterdir()) == []


def test_orphans_of_a_child_are_reaped(runner, backplane):
    backplane.add(child())
    runner.deploy()
    runner.call("orphan").result()
    children = Path(f"/proc/{runner.process.pid}/task/{runner.process.pid}/children")
    wait_for(lambda: children.read_text().split() == [str(child_pid(runner))], "the end of the orphan")


BAD_STREAMS = {
    "wrong digest": ([Artefact("main", CHILD, True, digest="0" * 64)], None, "was announced"),
    "no digest": ([Artefact("main", CHILD, True, digest="xyz")], None, "is not a digest"),
    "escape": ([Artefact("../main", CHILD, True)], None, '".."'),
    "absolute": ([Artefact("/tmp/main", CHILD, True)], None, "absolute"),
    "twice": ([Artefact("main", CHILD, True), Artefact("main", CHILD, True)], None, "twice"),
    "file as folder": ([Artefact("main", CHILD, True), Artefact("main/x", b"")], None, "could not"),
    "missing": ([Artefact("main", CHILD, True), Artefact("more", b"x")], [(Artefact("main", CHILD), CHILD)], "did not send"),
    "unannounced": ([Artefact("main", CHILD, True)], [(Artefact("../evil", b""), b"x")], "had not announced"),
    "interleaved": (
        [Artefact("a", b"aa"), Artefact("b", b"b")],
        [(Artefact("a", b"aa"), b"a"), (Artefact("b", b"b"), b"b"), (Artefact("a", b"aa"), b"a")],
        "a",
    ),
    "too large a chunk": ([Artefact("a", b"x" * (2 << 20), pieces=[b"x" * (2 << 20)])], None, "max-message"),
}


@pytest.mark.parametrize("case", BAD_STREAMS)
def test_files_that_were_not_announced_never_run(runner, backplane, tmp_path, case):
    artefacts, sent, expected = BAD_STREAMS[case]
    stream = None
    if sent is not None:
        stream = [ftl.GetDeploymentArtefactsResponse(artefact=file.message(), chunk=chunk) for file, chunk in sent]
    backplane.add(Deployment(KEY, "child", artefacts, stream=stream))
    report = runner.deploy()
    assert expected in report.error
    assert list(runner.folder.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_an_unknown_deployment(runner):
    assert "there is no deployment" in runner.deploy("dpl-unknown-1").error


# --- calls


def test_headers_reach_the_child(runner, backplane):
    backplane.add(child())
    runner.deploy()
    sent = (("ftl-verb", "a.b"), ("ftl-verb", "c.d"), ("ftl-request-id", "req-1"), ("traceparent", "00-1-2-01"))
    received = json.loads(runner.call("headers", metadata=sent).result().body)
    carried = [tuple(pair) for pair in received if pair[0] in ("ftl-verb", "ftl-request-id", "traceparent")]
    # Sorted by name alone: the values of one name keep their order.
    assert sorted(carried, key=lambda pair: pair[0]) == sorted(sent, key=lambda pair: pair[0])


def test_deadline_and_cancellation_reach_the_child(runner, backplane):
    backplane.add(child())
    runner.deploy()
    call = runner.call("wait_for_the_end", timeout=10)
    backplane.wait_for_log("waiting, deadline True")
    call.cancel()
    backplane.wait_for_log("the caller has gone")


def test_cancelled_calls_do_not_disturb_the_others(runner, backplane):
    """The Backplane sends the calls of all its clients over one connection."""
    backplane.add(child())
    runner.deploy()
    stays = runner.call("sleep", b"3")
    backplane.wait_for_log("sleeping")
    for _ in range(8):
        for call in [runner.call("echo") for _ in range(200)]:
            call.cancel()
        runner.control.Ping(ftl.PingRequest(), timeout=10)
    assert stays.result()


def test_a_child_that_dies_during_a_call(runner, backplane):
    backplane.add(child())
    runner.deploy()
    with pytest.raises(grpc.RpcError) as failed:
        runner.call("die").result()
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert f"the deployment {KEY} of child" in failed.value.details()
    assert "may have run" in failed.value.details()
    report = backplane.deployed.get(timeout=5)
    assert report.error == "main was killed by SIGKILL (Killed)"
    assert "about to die" in report.last_lines
    backplane.add(child())
    assert runner.deploy().error == ""


PANICKING = (HERE / "panicking_child.py").read_bytes().replace(b"#!/usr/bin/env python3", f"#!{sys.executable}".encode(), 1)


# INTERNAL_ERROR is what Go's net/http sends when a handler panics; CANCEL and a response without a status are its siblings.
@pytest.mark.parametrize(
    "how, code, text",
    [("reset 2", "INTERNAL", "INTERNAL_ERROR"), ("reset 8", "UNAVAILABLE", "CANCEL"), ("end", "INTERNAL", "without a status")],
)
def test_a_child_that_breaks_off_a_call_and_lives_on(runner, backplane, how, code, text):
    backplane.add(Deployment(KEY, "child", [Artefact("main", PANICKING, executable=True)]))
    runner.deploy()
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as failed:
            runner.call("panic", json.dumps(how).encode()).result()
        assert failed.value.code() == grpc.StatusCode[code]
        said = failed.value.details()
        assert f"the deployment {KEY} of child broke off the call, which may have run" in said
        assert text in said
        assert "was lost" not in said
        runner.call("echo", b"1").result()
    assert backplane.deployed.empty()


def test_a_child_that_exits_while_its_own_child_holds_the_connection(runner, backplane):
    backplane.add(child())
    runner.deploy()
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as failed:
        runner.call("leave_a_child_behind").result()
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert backplane.deployed.get(timeout=5).error == "main exited with status 5"
    assert time.monotonic() - began < 3


def test_a_child_that_exits(runner, backplane):
    backplane.add(child())
    runner.deploy()
    with pytest.raises(grpc.RpcError):
        runner.call("leave").result()
    assert backplane.deployed.get(timeout=5).error == "main exited with status 3"


# --- hostile peers

METHODS = [
    f"/xyz.block.ftl.v1.{service}/{method}"
    for service, methods in {"RunnerService": ("Ping", "Deploy", "Terminate"), "VerbService": ("Ping", "Call", "List")}.items()
    for method in methods
]


@pytest.mark.parametrize("method", METHODS)
def test_random_bytes(runner, backplane, method):
    backplane.add(child())
    runner.deploy()
    call = runner.channel.unary_unary(method)
    random = Random(method)
    codes = set()
    for _ in range(200):
        message = random.randbytes(random.choice([1, 2, 5, 20, 300]))
        try:
            call(message, timeout=5)
            codes.add("OK")  # some random bytes are a message
        except grpc.RpcError as failed:
            codes.add(failed.code().name)
    if method.endswith("Terminate"):
        # Bytes without a deployment key terminate the Runner itself.
        assert "INVALID_ARGUMENT" in codes
        assert runner.process.poll() in (None, 0)
        return
    # A child on grpcio answers INTERNAL or UNKNOWN to what it cannot parse.
    assert codes <= {"OK", "INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", "FAILED_PRECONDITION"}
    assert runner.call("echo", b"1").result().body == b"1"


def child_that_prints_forever():
    talk = CHILD.replace(
        b"stop = threading",
        b"threading.Thread(target=lambda: [print('x' * 200) for _ in iter(int, 1)], daemon=True).start()\nstop = threading",
    )
    assert talk != CHILD
    return Deployment(KEY, "child", [Artefact("main", talk, executable=True)])


def test_unread_logs_do_not_keep_a_runner_from_ending(runner, backplane):
    backplane.reads_logs.clear()
    backplane.add(child_that_prints_forever())
    assert runner.deploy().error == ""
    time.sleep(1)  # until more is waiting than fits the connection to the Backplane
    runner.process.terminate()
    assert runner.wait_exit(15) == 0


def test_a_child_that_never_stops_printing(runner, backplane):
    backplane.add(child_that_prints_forever())
    assert runner.deploy().error == ""
    for _ in range(20):
        runner.control.Ping(ftl.PingRequest(), timeout=1)
        time.sleep(0.05)
    status = Path(f"/proc/{runner.process.pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 64 << 10 or SANITIZED


def test_a_very_long_line_is_cut(runner, backplane):
    backplane.add(script("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\nprintf '\\377\\nend'\nexit 1\n"))
    report = runner.deploy()
    assert [len(line) for line in report.last_lines] == [1024, 3]
    assert backplane.wait_for_log("… (83617 more bytes)").level == "info"


def test_log_lines_reach_the_backplane(runner, backplane):
    backplane.add(child())
    runner.deploy()
    plain = backplane.wait_for_log("plain line")
    assert (plain.level, plain.module, plain.deployment_key, plain.runner_key) == ("info", "child", KEY, "run-test-1")
    assert abs(plain.time_ms - time.time() * 1000) < 10000
    structured = backplane.wait_for_log("structured é")
    assert (structured.level, structured.time_ms) == ("warn", 1767319445678)
    assert json.loads(structured.attributes) == {"size": 3}


# --- the end


def terminate(runner, grace_ms, key=KEY):
    runner.control.Terminate(ftl.TerminateRequest(deployment_key=key, grace_ms=grace_ms), timeout=2)


def test_terminate_lets_calls_finish(runner, backplane):
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    slow = runner.call("sleep", b"1")
    backplane.wait_for_log("sleeping")
    terminate(runner, 10000)
    with pytest.raises(grpc.RpcError):
        runner.call("echo", timeout=0.3).result()
    assert is_running(pid)
    assert slow.result().body == b'"slept"'
    report = backplane.deployed.get(timeout=5)
    assert report.error == "terminated"
    assert not is_running(pid)
    assert list(runner.folder.iterdir()) == []
    assert runner.deploy().error == ""


def test_a_deployment_that_ends_is_not_deployed_again(runner, backplane):
    backplane.add(child())
    runner.deploy()
    slow = runner.call("sleep", b"1")
    backplane.wait_for_log("sleeping")
    terminate(runner, 10000)
    with pytest.raises(grpc.RpcError) as refused:
        runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "draining" in refused.value.details()
    slow.result()


def test_terminate_ends_calls_after_the_grace(start, backplane):
    runner = start(kill_timeout="300ms")
    runner.wait_registered()
    backplane.add(child())
    runner.deploy()
    slow = runner.call("sleep", b"20")
    backplane.wait_for_log("sleeping")
    terminate(runner, 200)
    with pytest.raises(grpc.RpcError) as failed:
        slow.result()
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    assert backplane.deployed.get(timeout=5).error == "terminated"


def test_terminate_while_it_starts(runner, backplane):
    backplane.add(script("#!/bin/sh\nsleep 100\n"))
    runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)
    time.sleep(0.3)
    terminate(runner, 1000)
    assert backplane.deployed.get(timeout=5).error == "terminated while starting"


def test_terminate_while_it_fetches(runner, backplane):
    def never():
        yield ftl.GetDeploymentArtefactsResponse(artefact=Artefact("main", CHILD).message(), chunk=CHILD[:10])
        time.sleep(2)

    backplane.add(child(stream=never()))
    runner.control.Deploy(ftl.DeployRequest(deployment_key=KEY), timeout=2)
    time.sleep(0.3)
    terminate(runner, 1000)
    assert backplane.deployed.get(timeout=5).error == "terminated while fetching"


def test_terminate_of_another_is_refused(runner, backplane):
    backplane.add(child())
    runner.deploy()
    with pytest.raises(grpc.RpcError) as refused:
        terminate(runner, 0, key="dpl-other-1")
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_terminate_of_the_runner(runner, backplane):
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    terminate(runner, 1000, key="")
    assert backplane.deployed.get(timeout=5).error == "terminated"
    assert runner.wait_exit() == 0
    assert not is_running(pid)
    assert backplane.left.get(timeout=2) == "run-test-1"


def test_sigterm_while_it_starts_leaves_no_folder(tmp_path):
    command = [FTL, "runner", "--language=test", "--endpoint=http://127.0.0.1:9"]
    for turn in range(60):
        process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
        time.sleep(0.0003 * turn * (10 if SANITIZED else 1))
        process.terminate()
        assert process.wait(20) in (0, -signal.SIGTERM)
        assert list(tmp_path.iterdir()) == []


def test_sigterm_drains(runner, backplane):
    backplane.add(child())
    runner.deploy()
    slow = runner.call("sleep", b"1")
    backplane.wait_for_log("sleeping")
    runner.process.send_signal(signal.SIGTERM)
    assert backplane.left.get(timeout=0.5) == "run-test-1"
    assert slow.result().body == b'"slept"'
    assert runner.wait_exit() == 0


def test_a_second_signal_does_not_wait(runner, backplane):
    backplane.add(child())
    runner.deploy()
    slow = runner.call("sleep", b"20")
    backplane.wait_for_log("sleeping")
    pid = child_pid(runner)
    runner.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    runner.process.send_signal(signal.SIGINT)
    wait_gone(pid, 15)
    assert runner.wait_exit() == 0
    slow.cancel()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGRTMIN])
def test_each_signal_that_ends_a_process_ends_the_child_too(runner, backplane, number):
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    runner.process.send_signal(number)
    assert runner.wait_exit() == 0
    assert not is_running(pid)
    assert "stopping: SIG" in runner.text()


def test_the_child_dies_with_a_killed_runner(start, backplane):
    runner = start()
    runner.wait_registered()
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    runner.process.kill()
    wait_gone(pid)
    for folder in runner.folder.iterdir():
        subprocess.run(["rm", "-r", folder], check=True)


def test_a_report_waits_for_the_backplane(runner, backplane):
    backplane.add(child())
    runner.deploy()
    pid = child_pid(runner)
    port = backplane.port
    backplane.stop()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    backplane.start(port)
    assert backplane.deployed.get(timeout=5).error == "main was killed by SIGKILL (Killed)"


@is_plain
def test_an_idle_runner_is_small(runner):
    status = Path(f"/proc/{runner.process.pid}/status").read_text()
    assert int(status.split("VmRSS:")[1].split()[0]) <= 6 << 10
