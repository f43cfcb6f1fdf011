# SPDX-License-Identifier: Apache-2.0
"""A real Backplane, with clients, Runners and deployments on grpcio, which are independent of FTL's own gRPC code."""

import ctypes
import hashlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from fake_backplane import ftl, ftl_grpc, schema

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("FTL_BUILD", HERE.parents[1] / "build")).resolve()
FTL = BUILD / "ftl"
SANITIZED = b"__asan_" in FTL.read_bytes() or b"__tsan_" in FTL.read_bytes() or b"__ubsan_" in FTL.read_bytes()
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion|ASSERT")
# Seconds after which a test fails. No passing test waits so long.
LONG = 60 if SANITIZED else 20
NO_LIMIT = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def wait_for(condition, what, seconds=LONG):
    """Waits until the condition returns a true value. Returns that value."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def mount_disk(folder, size):
    """Mounts a file system in memory of that size ("8m"). Returns whether that is allowed here. Not by the program mount,
    which a small machine may lack."""
    return ctypes.CDLL(None).mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size}".encode()) == 0


def unmount_disk(folder):
    """At once, with files open or not."""
    mnt_detach = 2
    assert ctypes.CDLL(None).umount2(bytes(folder), mnt_detach) == 0


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def artefact(path, content, executable=False):
    return ftl.DeploymentArtefact(digest=digest_of(content), path=path, executable=executable)


def module(name="echo", verbs=("echo",), language="test", comments=(), calls=(), entry=""):
    """The schema of a module whose verbs take and give {"text": String}."""
    text = schema.Field(name="text", type=schema.Type(string=schema.String()))
    decls = [schema.Decl(data=schema.Data(name="Text", fields=[text]))]
    ref = schema.DataRef(name="Text", module=name)
    metadata = [schema.Metadata(calls=schema.MetadataCalls(calls=calls))] if calls else []
    for verb in verbs:
        decls.append(schema.Decl(verb=schema.Verb(name=verb, request=ref, response=ref, metadata=metadata)))
    runtime = schema.ModuleRuntime(language=language, entry=entry)
    return schema.Module(name=name, runtime=runtime, comments=comments, decls=decls)


def processes_that_name(text):
    """Processes whose command line contains the text, as (pid, command line)."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(folder.name) != os.getpid():
            found.append((int(folder.name), line))
    return found


def memory_peak(pid):
    """The peak of resident bytes so far. Under ThreadSanitizer 0, as the sanitizer itself uses most of the memory."""
    if b"__tsan_" in Path(f"/proc/{pid}/exe").read_bytes():
        return 0
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


class Backplane:
    """A process of `ftl serve` on a data folder of its own."""

    def __init__(self, folder, *options, bind="http://127.0.0.1:0"):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.log_path = self.folder / "backplane.log"
        self.options = options
        self.endpoint = bind
        self.process = None
        self.channel = None

    def spawn(self, *more, bind=None, **popen):
        """Starts a process. Returns it at once, before it serves."""
        self.port_file = self.folder / "endpoint"
        self.port_file.unlink(missing_ok=True)
        command = [FTL, "serve", "--bind", bind or self.endpoint, "--data", self.data, "--port-file", self.port_file]
        command += ["--log-level", "debug", "--threads", "2", *self.options, *more]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **popen)

    def start(self, *more, **popen):
        self.process = self.spawn(*more, **popen)
        wait_for(lambda: self.port_file.exists() or self.process.poll() is not None, "the port file")
        assert self.process.poll() is None, self.log()
        self.endpoint = self.port_file.read_text()
        self.connect()
        return self

    def connect(self):
        self.disconnect()
        self.target = self.endpoint.removeprefix("http://")
        self.channel = self.new_channel()
        self.rpc = ftl_grpc.BackplaneServiceStub(self.channel)
        self.verbs = ftl_grpc.VerbServiceStub(self.channel)

    def new_channel(self):
        # Each channel has its own pool: grpcio otherwise shares connections among channels, also broken ones.
        return grpc.insecure_channel(self.target, [*NO_LIMIT, ("grpc.use_local_subchannel_pool", 1)])

    def disconnect(self):
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # --- the end of a Backplane

    def kill(self):
        """Kills the process with SIGKILL, so that it cannot clean up."""
        self.disconnect()
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, timeout=LONG):
        """Stops the process with SIGTERM, and checks that no process or socket is left over."""
        if self.process is None:
            return
        self.disconnect()
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the Backplane did not stop:\n" + self.log()) from None
        assert code == 0, f"exit status {code}\n{self.log()}"
        wait_for(lambda: not self.processes(), "the end of " + repr(self.processes()))
        assert self.sockets() == []

    def processes(self):
        return processes_that_name(str(self.folder))

    def sockets(self):
        return [str(path) for path in self.folder.rglob("*") if path.is_socket()]

    def clean_up(self):
        """Stops everything at the end of a test, passed or failed, and checks the log for reports of sanitizers."""
        try:
            self.stop()
        finally:
            for pid, _ in self.processes():
                os.kill(pid, signal.SIGKILL)
            # pytest shows standard error when the test fails.
            sys.stderr.write(self.log()[-20_000:])
            found = REPORT.search(self.log())
            assert not found, self.log()[max(0, found.start() - 2000) :]

    # --- creating a deployment

    def upload(self, content, piece=1 << 20):
        pieces = [content[at : at + piece] for at in range(0, len(content), piece)] or [b""]
        response = self.rpc.UploadArtefact((ftl.UploadArtefactRequest(content=one) for one in pieces), timeout=LONG)
        assert response.digest.hex() == digest_of(content)

    def create(self, schema, artefacts=(), replicas=0):
        request = ftl.CreateDeploymentRequest(schema=schema, artefacts=artefacts, replicas=replicas)
        return self.rpc.CreateDeployment(request, timeout=LONG)

    def deploy(self, schema, files=None, replicas=0):
        """Uploads {path: content} and creates the deployment. Returns its key."""
        artefacts = []
        for path, content in (files or {}).items():
            self.upload(content)
            artefacts.append(artefact(path, content, executable=path == "main"))
        return self.create(schema, artefacts, replicas).deployment_key

    def watch(self, key, timeout=LONG):
        """All steps of a deployment, after its last one."""
        return list(self.rpc.WatchDeployment(ftl.WatchDeploymentRequest(deployment_key=key), timeout=timeout))

    def wait_live(self, key, timeout=LONG):
        steps = self.watch(key, timeout)
        assert steps[-1].state == ftl.DEPLOYMENT_STATE_LIVE, steps

    def artefacts_of(self, key, have=()):
        """{path: content} of a deployment, from the stream that Runners read."""
        request = ftl.GetDeploymentArtefactsRequest(deployment_key=key, have_artefacts=have)
        contents = {}
        for response in self.rpc.GetDeploymentArtefacts(request, timeout=LONG):
            assert len(response.chunk) <= 1 << 20
            contents[response.artefact.path] = contents.get(response.artefact.path, b"") + response.chunk
        return contents

    def call(self, name, body=b"{}", timeout=LONG, metadata=(), **settings):
        return self.call_future(name, body, timeout, metadata, **settings).result()

    def call_future(self, name, body=b"{}", timeout=LONG, metadata=(), **settings):
        module_name, verb = name.split(".")
        request = ftl.CallRequest(verb=schema.VerbRef(module=module_name, name=verb), body=body)
        return self.verbs.Call.future(request, timeout=timeout, metadata=metadata, **settings)

    def status(self):
        return self.rpc.Status(ftl.StatusRequest(), timeout=LONG)

    def runners(self, state=None):
        return [runner for runner in self.status().runners if state in (None, runner.state)]


class Refused(Exception):
    """Raised by a verb of a FakeRunner to answer with an error."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class FakeRunner:
    """A Runner and its hosted deployment in one server. `verbs` maps the name of a verb to a function of the request
    and the context that returns the body of the answer."""

    def __init__(self, backplane, language="test", key="", bind="127.0.0.1:0", verbs=None, claims=""):
        self.backplane = backplane
        self.language = language
        self.key = key
        self.claims = claims
        self.verbs = {"echo": lambda request, context: request.body, **(verbs or {})}
        self.log = []  # requests from and to it, in order
        self.lock = threading.Lock()
        self.deploys = queue.Queue()
        self.terminated = queue.Queue()
        self.calls = queue.Queue()
        self.answers_pings = True
        self.brings_up = True  # fetches each deployment and reports it alive
        self.failure = ""  # reported in place of alive
        self.hosts = ""
        self.fetched = None
        self.registration = None
        self.gone = threading.Event()
        self.server = grpc.server(ThreadPoolExecutor(24), options=[*NO_LIMIT, ("grpc.so_reuseport", 0)])
        ftl_grpc.add_RunnerServiceServicer_to_server(_RunnerService(self), self.server)
        ftl_grpc.add_VerbServiceServicer_to_server(_VerbService(self), self.server)
        port = self.server.add_insecure_port(bind)
        self.endpoint = bind if bind.startswith("unix:") else f"http://127.0.0.1:{port}"
        self.server.start()

    def note(self, what):
        with self.lock:
            self.log.append(what)

    # --- registration

    def request(self, **changes):
        fields = dict(language=self.language, endpoint=self.endpoint, runner_key=self.key, deployment_key=self.claims)
        return ftl.RegisterRunnerRequest(**{**fields, **changes})

    def register(self, **changes):
        """Registers by a stream that stays open for the life of the Runner. Returns once the Runner is accepted."""
        self.note("RegisterRunner")
        ended = threading.Event()

        def requests():
            yield self.request(**changes)
            ended.wait()

        self.leave = ended
        self.registration = self.backplane.rpc.RegisterRunner.future(requests())
        headers = dict(self.registration.initial_metadata())
        if "ftl-runner-key" not in headers:
            ended.set()
            self.registration.result()  # raises the error of the refusal
        self.key = headers["ftl-runner-key"]
        return self

    def register_unary(self, **changes):
        call = self.backplane.rpc.RegisterRunner.with_call
        _, answer = call(iter([self.request(**changes)]), timeout=LONG)
        self.key = dict(answer.initial_metadata())["ftl-runner-key"]
        return self

    # --- starting a deployment

    def bring_up(self, key):
        rpc = self.backplane.rpc
        try:
            self.note("GetDeployment")
            told = rpc.GetDeployment(ftl.GetDeploymentRequest(deployment_key=key), timeout=LONG)
            self.note("GetDeploymentArtefacts")
            self.fetched = self.backplane.artefacts_of(key)
            assert set(self.fetched) == {one.path for one in told.artefacts}
            assert all(digest_of(self.fetched[one.path]) == one.digest for one in told.artefacts)
            self.hosts = "" if self.failure else key
            self.report(key, error=self.failure)
        except grpc.RpcError as error:
            self.note(f"{error.code().name}: {error.details()}")
        except ValueError:
            self.note("the test is over")

    def report(self, key, error="", lines=()):
        self.note("Deployed")
        request = ftl.DeployedRequest(deployment_key=key, runner_key=self.key, error=error, last_lines=lines)
        self.backplane.rpc.Deployed(request, timeout=LONG)

    # --- the end of a Runner

    def die(self):
        """Ends at once: connections break, and nothing answers."""
        self.gone.set()
        if self.registration is not None:
            self.registration.cancel()
            self.leave.set()
        self.server.stop(None).wait()

    stop = die


class _RunnerService(ftl_grpc.RunnerServiceServicer):
    def __init__(self, runner):
        self.runner = runner

    def Ping(self, request, context):
        self.runner.note("Ping")
        if not self.runner.answers_pings:
            context.abort(grpc.StatusCode.UNAVAILABLE, "pings are off")
        return ftl.PingResponse()

    def Deploy(self, request, context):
        runner = self.runner
        runner.note("Deploy")
        runner.deploys.put(request.deployment_key)
        if runner.brings_up:
            threading.Thread(target=runner.bring_up, args=[request.deployment_key], daemon=True).start()
        return ftl.DeployResponse()

    def Terminate(self, request, context):
        runner = self.runner
        runner.note("Terminate")
        runner.terminated.put(request)
        hosted, runner.hosts = runner.hosts, ""
        if hosted:
            threading.Thread(target=runner.report, args=[hosted, "it was told to end"], daemon=True).start()
        return ftl.TerminateResponse()


class _VerbService(ftl_grpc.VerbServiceServicer):
    def __init__(self, runner):
        self.runner = runner

    def Ping(self, request, context):
        return ftl.PingResponse()

    def Call(self, request, context):
        metadata = context.invocation_metadata()
        self.runner.calls.put((request, [tuple(pair) for pair in metadata], context.time_remaining()))
        verb = self.runner.verbs.get(request.verb.name)
        if verb is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no verb {request.verb.name}")
        try:
            answer = verb(request, context)
        except Refused as error:
            context.abort(error.code, str(error))
        return answer if isinstance(answer, ftl.CallResponse) else ftl.CallResponse(body=answer)


# --- a deployment on Runners of the Platform

PROGRAM = b"""#!/usr/bin/env python3
import json, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
sys.path[:0] = json.loads(os.environ["TEST_PYTHON_PATH"])
import grpc
from xyz.block.ftl.v1 import ftl_pb2, ftl_pb2_grpc

class Verbs(ftl_pb2_grpc.VerbServiceServicer):
    def Ping(self, request, context):
        return ftl_pb2.PingResponse()

    def Call(self, request, context):
        if request.verb.name == "sleep":
            time.sleep(1)
        return ftl_pb2.CallResponse(body=json.dumps({"pid": os.getpid()}).encode())

server = grpc.server(ThreadPoolExecutor(4))
ftl_pb2_grpc.add_VerbServiceServicer_to_server(Verbs(), server)
server.add_insecure_port(os.environ["FTL_BIND"].removeprefix("http://"))
server.start()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
server.stop(5).wait()
"""


def deploy_program(backplane, name="echo", replicas=0, comments=()):
    schema = module(name, verbs=["echo", "sleep"], language="python", comments=comments)
    return backplane.deploy(schema, {"main": PROGRAM}, replicas)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_that_answers(backplane, seconds=LONG):
    answer = call_when_up(backplane, "echo.echo", seconds)
    return int(answer.body.split(b":")[1].strip(b" }"))


def call_when_up(backplane, name, seconds):
    """Repeats the call until it has an answer, at most for so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            return backplane.call(name, timeout=seconds)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            assert time.monotonic() < end, error.details()
        time.sleep(0.02)
