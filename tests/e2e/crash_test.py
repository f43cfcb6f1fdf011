# SPDX-License-Identifier: Apache-2.0
"""The Backplane is killed at every failpoint, and another one starts on its data.

The test makes one sequence of requests: artefacts, deployments, a replacement, scaling, a rollback, a kill. Wherever
the Backplane dies, a request that was answered holds for the next Backplane, one that was not has its whole effect or none,
and no process or file is left over.
"""

import json
import os
import re
import signal
import subprocess
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from fake_backplane import ftl
from module_test import CFLAGS, LIBS
from harness import FTL, LONG, Backplane, artefact, digest_of, module, processes_that_name, wait_for

POINTS = subprocess.run(
    [FTL, "serve"], env={**os.environ, "FTL_FAILPOINT": "list"}, capture_output=True, text=True, check=True
).stdout.split()
# Some points again, at a later pass: during the replacement and after it.
AGAIN = [
    "store-create-committed:2",
    "store-switch-committing:2",
    "store-switch-committed:3",
    "store-state-committed:2",
    "store-module-committing:2",
    "file-synced:2",
    "create-written:2",
    "runner-started:2",
    "runner-started:3",
    "replica-reported:2",
    "replica-alive:3",
    "routes-publishing:3",
    "routes-published:4",
]
GROUPS = sorted({point.split("-")[0] for point in POINTS})
AT_ONCE = 4


def test_points_are_named(tmp_path):
    assert len(POINTS) == len(set(POINTS)) > 40
    environment = {**os.environ, "FTL_FAILPOINT": "scale-aplied"}
    command = [FTL, "serve", "--data", tmp_path / "data", "--bind", f"unix:{tmp_path}/sock"]
    wrong = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG)
    assert wrong.returncode == 2
    assert "scale-applied, scale-answering" in wrong.stderr
    assert not (tmp_path / "data").exists()


# --- a module in C whose answer tells its version --------------------------------------------------------------


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crash")
    source, built = folder / "echo.c", {}
    for version in ("one", "two"):
        source.write_text(
            textwrap.dedent("""\
                #include <ftl/module.h>
                static int echo(struct ftl_context *ftl) {
                    return ftl_reply(ftl, "{\\"text\\":\\"VERSION\\"}");
                }
                FTL_MODULE("echo", {.name = "echo", .run = echo});
            """).replace("VERSION", version)
        )
        command = [os.environ.get("CC", "cc"), *CFLAGS, "-o", folder / version, source, *LIBS]
        subprocess.run(command, check=True, timeout=LONG)
        built[version] = (folder / version).read_bytes()
    assert built["one"] != built["two"]
    return built


# --- the sequence of requests ------------------------------------------------------------------------------------


class Scenario:
    """The requests, and the state that must hold: `now`, or `asked` if a request was in progress."""

    def __init__(self, backplane, versions):
        self.backplane = backplane
        self.versions = versions
        self.now = self.asked = None  # (version, replicas); None: nothing runs
        self.uploaded = []
        self.keys = {}

    def ask(self, request, outcome):
        self.asked = (outcome,)
        answer = request()
        self.now, self.asked = outcome, None
        return answer

    def deploy(self, version, replicas=0):
        content = self.versions[version]
        self.backplane.upload(content)
        self.uploaded.append(digest_of(content))
        outcome = (version, replicas or (self.now[1] if self.now else 1))
        schema, files = module(language="c", comments=[version]), [artefact("main", content, executable=True)]
        self.keys[version] = self.ask(lambda: self.backplane.create(schema, files, replicas), outcome).deployment_key
        self.wait_for_outcome()

    def scale(self, replicas):
        request = ftl.ScaleModuleRequest(module="echo", replicas=replicas)
        self.ask(lambda: self.backplane.rpc.ScaleModule(request, timeout=LONG), (self.now[0], replicas))
        self.wait_for_outcome()

    def roll_back(self, version):
        request = ftl.RollbackModuleRequest(module="echo", deployment_key=self.keys[version])
        self.ask(lambda: self.backplane.rpc.RollbackModule(request, timeout=LONG), (version, self.now[1]))
        self.wait_for_outcome()

    def kill(self):
        request = ftl.KillModuleRequest(module="echo")
        self.ask(lambda: self.backplane.rpc.KillModule(request, timeout=LONG), None)
        self.wait_for_outcome()

    def run(self):
        self.deploy("one")
        self.deploy("two")
        self.scale(2)
        self.roll_back("one")
        self.scale(1)
        self.kill()
        self.deploy("two")

    def state(self):
        """(version, replicas) once nothing is in progress."""
        ended = (ftl.DEPLOYMENT_STATE_STOPPED, ftl.DEPLOYMENT_STATE_FAILED)
        deployments = [one for one in self.backplane.status().deployments if one.state not in ended]
        if not deployments:
            return None
        (deployment, *others) = deployments
        if others or deployment.state != ftl.DEPLOYMENT_STATE_LIVE or deployment.alive != deployment.replicas:
            return "unsettled"
        try:
            answer = self.backplane.call("echo.echo", b'{"text":""}')
            return json.loads(answer.body)["text"], deployment.replicas
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND), error
            return "unsettled"

    def outcomes(self):
        return [self.now, *(self.asked or ())]

    def wait_for_outcome(self):
        wait_for(lambda: self.state() in self.outcomes(), f"one of {self.outcomes()}")


# --- a crash at one point -----------------------------------------------------------------------------------------


def runner_keys(backplane):
    lines = [line for _, line in processes_that_name(str(backplane.folder)) if " runner " in line]
    return sorted(re.search(r"--key (\S+)", line).group(1) for line in lines)


def children(backplane):
    """Processes of deployments: their program is in the work folder of a Runner."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.readlink(folder / "exe").startswith(str(backplane.data)):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def nothing_is_left_over(backplane):
    runners = backplane.runners()
    keys = sorted(one.key for one in runners)
    files = sorted(path.name for path in (backplane.data / "run").iterdir())
    of_runners = {key + suffix for key in keys for suffix in (".pid", ".sock", ".d")}
    return (
        all(one.state in ("idle", "alive") and one.managed for one in runners)
        and runner_keys(backplane) == keys
        and len(children(backplane)) == sum(one.state == "alive" for one in runners)
        and set(files) <= of_runners
        and {key + ".pid" for key in keys} <= set(files)
        and list((backplane.data / "artefacts" / "incoming").iterdir()) == []
    )


def assert_events(backplane, scenario):
    stream = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(tail=10_000), timeout=LONG)
    events = [response.event for response in stream]
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    created = [e.deployment_key for e in events if e.kind == ftl.EventKind.EVENT_KIND_DEPLOYMENT_CREATED]
    assert set(scenario.keys.values()) <= set(created)


def crash_at(point, versions, folder):
    folder.mkdir()
    backplane = Backplane(folder, "--warm", "0", "--drain-timeout", "5s", bind=f"unix:{folder}/sock")
    try:
        scenario = Scenario(backplane, versions)
        process = backplane.process = backplane.spawn(env={**os.environ, "FTL_FAILPOINT": point})
        wait_for(lambda: backplane.port_file.exists() or process.poll() is not None, "the start")
        if process.poll() is None:
            backplane.connect()
            with pytest.raises((grpc.RpcError, AssertionError)):
                scenario.run()
                pytest.fail("all requests were answered")
        assert process.wait(LONG) == -signal.SIGKILL, "the Backplane did not die at the failpoint"
        backplane.disconnect()
        backplane.start()
        scenario.wait_for_outcome()
        request = ftl.GetArtefactDiffsRequest(client_digests=scenario.uploaded)
        missing = backplane.rpc.GetArtefactDiffs(request, timeout=LONG)
        assert list(missing.missing_digests) == []
        wait_for(lambda: nothing_is_left_over(backplane), "leftover processes and files to go")
        assert scenario.state() in scenario.outcomes()
        assert_events(backplane, scenario)
        backplane.stop()
        assert children(backplane) == []
        assert list((backplane.data / "run").iterdir()) == []
    finally:
        backplane.clean_up()


@pytest.mark.parametrize("group", GROUPS)
def test_recovers_from_a_crash_at_each_point(group, versions, tmp_path):
    points = [point for point in POINTS + AGAIN if point.split("-")[0] == group]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = {point: pool.submit(crash_at, point, versions, tmp_path / str(i)) for i, point in enumerate(points)}
    wrong = {point: future.exception() for point, future in told.items() if future.exception() is not None}
    assert not wrong, "\n".join(f"{point}: {error!r}" for point, error in wrong.items())
