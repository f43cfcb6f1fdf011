# SPDX-License-Identifier: Apache-2.0
"""The control side answers at once while its disk is slow: each call on the data takes 300 ms longer (slow_disk.c).

Run as a program, this file is the client that measures, in a process of its own: what the test's threads do must not
slow it down.
"""

import contextlib
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import grpc
import pytest
from fake_backplane import ftl, ftl_grpc
from harness import BUILD, FTL, LONG, SANITIZED, FakeRunner, deploy_program, digest_of, module

SLOW_DISK = BUILD / "tests/e2e/slow_disk.so"
DELAY_MS = 300
LOADED_SECONDS = 12
# On an idle machine a request is answered within 20 ms; the limit is higher, as other processes use this one too.
USUAL_MS, MARGIN = 20, 3
LONGEST_MS = 250  # shorter than one delayed call on the disk


# --- the client that measures ---------------------------------------------------------------------------------------


def measure(target, seconds):
    """Milliseconds that each BackplaneService.Ping took, and each registration of a Runner."""
    channel = grpc.insecure_channel(target)
    backplane = SimpleNamespace(rpc=ftl_grpc.BackplaneServiceStub(channel))
    pings, registrations = [], []

    def timed(call, times):
        begun = time.monotonic()
        try:
            call()
        except grpc.RpcError as error:
            print(error, file=sys.stderr)
        times.append((time.monotonic() - begun) * 1000)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            timed(lambda: backplane.rpc.Ping(ftl.PingRequest(), timeout=5), pings)
            time.sleep(0.01)
        runner = FakeRunner(backplane, language="unused")
        timed(runner.register, registrations)
        runner.die()
    return {"pings": pings, "registrations": registrations}


def percentile(times, part):
    return sorted(times)[int(len(times) * part)]


class Measurement:
    def __init__(self, backplane, seconds):
        command = [sys.executable, __file__, backplane.target, str(seconds)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )

    def result(self):
        output, _ = self.process.communicate(timeout=LONG + 60)
        assert self.process.returncode == 0
        return json.loads(output)


# --- the disk -------------------------------------------------------------------------------------------------------


class Disk:
    """The files of slow_disk.c."""

    def __init__(self, folder, *slow):
        self.delay = folder / "delay"
        self.delay.write_bytes(struct.pack("i", 0))
        self.log = folder / "slow_disk.log"
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(SLOW_DISK),
            "SLOW_DISK_DELAY": str(self.delay),
            "SLOW_DISK_LOG": str(self.log),
            "SLOW_DISK_FOLDERS": ":".join(map(str, slow)),
        }

    @contextlib.contextmanager
    def slow(self):
        self.set_delay(DELAY_MS)
        try:
            yield
        finally:
            self.set_delay(0)

    def set_delay(self, ms):
        with self.delay.open("r+b") as file:
            file.write(struct.pack("i", ms))

    def calls(self, thread):
        """The delayed calls of a thread, as [call, path]."""
        lines = [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        return [[call, path] for call, who, path in lines if who == thread]


# --- the load -------------------------------------------------------------------------------------------------------


class Load:
    """Clients that use everything that is on the disk until end(), each in a thread."""

    def __init__(self, backplane, make_runner):
        self.backplane = backplane
        self.make_runner = make_runner
        self.done = {}
        self.errors = []
        self.over = threading.Event()
        jobs = [self.deploy, self.run_program, self.upload, self.upload, self.ask_for_missing]
        jobs += [self.publish, self.follow]
        jobs += [self.command("logs"), self.command("events"), self.command("history", "echo"), self.command("status")]
        self.threads = [threading.Thread(target=self.repeat, args=[job], daemon=True) for job in jobs]

    def start(self):
        for thread in self.threads:
            thread.start()

    def repeat(self, job):
        name = getattr(job, "__name__", "?")
        while not self.over.is_set():
            try:
                job()
                self.done[name] = self.done.get(name, 0) + 1
            except (grpc.RpcError, AssertionError, OSError, subprocess.SubprocessError) as error:
                self.errors.append(f"{name}: {error}")
                return

    def deploy(self):
        """Deploys new content. The Runner of the previous deployment becomes idle once this one is live."""
        self.make_runner(backplane=self.backplane).register()
        key = self.backplane.deploy(module(comments=[str(time.monotonic())]), {"main": os.urandom(300_000)})
        self.backplane.wait_live(key, timeout=LONG + 40)

    def run_program(self):
        """Deploys a program, for which the Platform starts Runners."""
        key = deploy_program(self.backplane, "program", comments=[str(time.monotonic())])
        self.backplane.wait_live(key, timeout=LONG + 40)

    def upload(self):
        self.backplane.upload(os.urandom(1_500_000))

    def ask_for_missing(self):
        """Asks for few digests: a request for 10,000 would take longer than the test."""
        digests = [digest_of(os.urandom(8)) for _ in range(100)]
        request = ftl.GetArtefactDiffsRequest(client_digests=digests)
        answer = self.backplane.rpc.GetArtefactDiffs(request, timeout=LONG + 40)
        assert list(answer.missing_digests) == digests

    def publish(self):
        entries = [
            ftl.LogEntry(time_ms=1, level="info", message="x" * 100, module=f"module{random.randrange(4)}")
            for _ in range(50)
        ]
        self.backplane.rpc.PublishLogs(iter([ftl.PublishLogsRequest(entries=entries)]), timeout=LONG + 40)

    def follow(self):
        """Follows the log. The tail holds only lines that were published before."""
        request = ftl.StreamLogsRequest(tail=40, follow=True)
        stream = self.backplane.rpc.StreamLogs(request, timeout=LONG + 40)
        for _ in range(40):
            next(stream)
        stream.cancel()

    def command(self, *arguments):
        def run():
            environment = {**os.environ, "FTL_ENDPOINT": self.backplane.endpoint}
            subprocess.run([FTL, *arguments], env=environment, check=True, capture_output=True, timeout=LONG + 40)

        run.__name__ = arguments[0]
        return run

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(LONG + 60)
            assert not thread.is_alive()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's runtime has to be loaded first")
def test_the_control_side_never_waits_for_the_disk(make_backplane, make_runner, monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    backplane = make_backplane("--warm", "0")
    disk = Disk(backplane.folder, backplane.data)
    backplane.start(env=disk.environment)
    make_runner(backplane=backplane).register()
    backplane.wait_live(backplane.deploy(module(), {"main": b"first"}))
    usual = Measurement(backplane, 2).result()

    load = Load(backplane, make_runner)
    load.publish()
    digests = [digest_of(struct.pack("i", number)) for number in range(10_000)]
    question = ftl.GetArtefactDiffsRequest(client_digests=digests)
    with disk.slow():
        missing = backplane.rpc.GetArtefactDiffs.future(question, timeout=LONG + 120)
        load.start()
        slow = Measurement(backplane, LOADED_SECONDS).result()
    load.end()
    sys.stderr.write(f"done: {load.done}\nusual: {summary(usual)}\nslow: {summary(slow)}\n")

    for what in ("pings", "registrations"):
        assert percentile(slow[what], 0.95) <= MARGIN * max(USUAL_MS, percentile(usual[what], 0.95)), what
        assert max(slow[what]) <= max(LONGEST_MS, MARGIN * max(usual[what])), what
    assert disk.calls("main") == []
    for call in ("openat", "write", "pwrite", "fsync", "renameat", "faccessat"):
        assert any(seen == call for seen, _ in disk.calls("other")), f"the shim saw no {call}"
    assert load.errors == []
    assert load.done.keys() >= {"deploy", "run_program", "upload", "ask_for_missing", "publish", "follow"}
    assert load.done.keys() >= {"logs", "events", "history", "status"}
    assert list(missing.result().missing_digests) == digests


def summary(measured):
    return {
        what: {"count": len(times), "median": percentile(times, 0.5), "95%": percentile(times, 0.95), "max": max(times)}
        for what, times in measured.items()
    }


if __name__ == "__main__":
    json.dump(measure(sys.argv[1], float(sys.argv[2])), sys.stdout)
