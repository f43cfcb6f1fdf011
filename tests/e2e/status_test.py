# SPDX-License-Identifier: Apache-2.0
"""The status of a Backplane: its Runners, deployments, problems and schemas."""

import resource
import time

import pytest
from fake_backplane import ftl
from harness import LONG, SANITIZED, FakeRunner, memory_peak, module, mount_disk, unmount_disk, wait_for


def test_a_backplane_without_deployments(backplane):
    status = backplane.status()
    assert status.endpoint == backplane.endpoint
    assert abs(status.started_ms / 1000 - time.time()) < 60
    assert status.version
    assert (len(status.runners), len(status.deployments), len(status.problems)) == (0, 0, 0)


def test_a_live_deployment(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    status = backplane.status()
    (shown,) = status.deployments
    assert (shown.key, shown.module, shown.language) == (key, "echo", "test")
    assert (shown.state, shown.replicas, shown.alive) == (ftl.DEPLOYMENT_STATE_LIVE, 1, 1)
    (one,) = status.runners
    assert (one.key, one.state, one.deployment_key) == (runner.key, "alive", key)
    assert list(status.problems) == []


def test_a_lost_replica_is_a_problem(backplane, runner):
    backplane.wait_live(backplane.deploy(module()))
    runner.die()
    problems = wait_for(lambda: backplane.status().problems, "the problem")
    assert "echo has 0 of 1 replicas alive" in problems[0]


def test_a_failed_deployment_is_a_problem(backplane, runner):
    runner.failure = "its configuration is missing"
    key = backplane.deploy(module())
    backplane.watch(key)
    (problem,) = backplane.status().problems
    assert "its configuration is missing" in problem
    # The failed deployment is shown until another one is wanted, also by the Backplane that starts next on the data.
    for _ in range(2):
        (failed,) = backplane.status().deployments
        assert (failed.key, failed.state, failed.alive) == (key, ftl.DEPLOYMENT_STATE_FAILED, 0)
        assert "its configuration is missing" in failed.detail
        backplane.kill()
        backplane.start()
    backplane.deploy(module(comments=["better"]))
    assert key not in [one.key for one in backplane.status().deployments]


def test_the_last_stopped_deployment_is_shown(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    state = ftl.DEPLOYMENT_STATE_STOPPED
    wait_for(lambda: [(one.key, one.state) for one in backplane.status().deployments] == [(key, state)], "the stop")


def test_schemas(backplane, make_runner, refused):
    for name in ("two", "one"):
        make_runner(language=name).register()
        backplane.wait_live(backplane.deploy(module(name, language=name, comments=[f"About {name}."])))
    modules = backplane.rpc.GetSchema(ftl.GetSchemaRequest(), timeout=LONG).modules
    assert [(one.name, list(one.comments)) for one in modules] == [("one", ["About one."]), ("two", ["About two."])]
    (one,) = backplane.rpc.GetSchema(ftl.GetSchemaRequest(module="two"), timeout=LONG).modules
    assert one.name == "two"
    with refused("NOT_FOUND", "twoo", "did you mean two?"):
        backplane.rpc.GetSchema(ftl.GetSchemaRequest(module="twoo"))


def test_the_steps_of_a_deployment_are_streamed(backplane, runner):
    runner.brings_up = False
    key = backplane.deploy(module())
    steps = backplane.rpc.WatchDeployment(ftl.WatchDeploymentRequest(deployment_key=key), timeout=LONG)
    first = next(steps)
    assert (first.text, first.state) == ("created", ftl.DEPLOYMENT_STATE_STARTING)
    runner.deploys.get(timeout=LONG)
    runner.bring_up(key)
    rest = list(steps)
    assert runner.key in rest[-2].text
    assert (rest[-1].text, rest[-1].state) == ("live", ftl.DEPLOYMENT_STATE_LIVE)


def test_an_idle_backplane_uses_little_memory_and_cpu(backplane, runner):
    if SANITIZED:
        return
    backplane.wait_live(backplane.deploy(module()))
    backplane.call("echo.echo")
    assert memory_peak(backplane.process.pid) < 20 << 20
    with open(f"/proc/{backplane.process.pid}/stat") as file:
        before = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    time.sleep(1)
    with open(f"/proc/{backplane.process.pid}/stat") as file:
        after = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    # in clock ticks of 10 ms
    assert after - before <= 2


class SmallDisk:
    """A file system for the data of a Backplane that a test fills to the last byte. Without the right to mount one, the
    size of the process's files is limited instead."""

    def __init__(self, backplane):
        self.backplane = backplane
        self.data = backplane.data
        self.data.mkdir()
        self.mounted = mount_disk(self.data, "16m")
        self.filler = self.data / "filler"
        self.code = "RESOURCE_EXHAUSTED" if self.mounted else "INTERNAL"  # SQLite: no code of its own

    def limit(self, size):
        hard = resource.prlimit(self.backplane.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.backplane.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def fill(self):
        if not self.mounted:
            self.limit(0)
            return
        with self.filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) > 0:
                    pass
            except OSError:
                pass

    def free(self):
        if self.mounted:
            self.filler.unlink()
        else:
            self.limit(resource.RLIM_INFINITY)

    def files(self):
        artefacts = [path for path in self.data.rglob("*") if path.is_file() and path != self.filler]
        return sorted(str(path) for path in artefacts if not path.name.startswith("ftl.db"))

    def close(self):
        if self.mounted:
            unmount_disk(self.data)


@pytest.fixture
def disk(backplane_unstarted):
    disk = SmallDisk(backplane_unstarted)
    try:
        backplane_unstarted.start()
        yield disk
    finally:
        backplane_unstarted.clean_up()
        disk.close()


@pytest.fixture
def backplane_unstarted(make_backplane):
    return make_backplane("--warm", "0", "--drain-timeout", "5s")


def store_problems(backplane):
    return [text for text in backplane.status().problems if "the store cannot be written" in text]


def event_names(backplane):
    events = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(tail=1000), timeout=LONG)
    return [ftl.EventKind.Name(one.event.kind) for one in events]


def test_a_full_disk_is_a_problem_until_there_is_room(disk, refused):
    backplane = disk.backplane
    runners = [FakeRunner(backplane).register() for _ in range(2)]
    try:
        key = backplane.deploy(module(), {"main": b"content"})
        backplane.wait_live(key)
        before = disk.files()
        assert store_problems(backplane) == []
        disk.fill()
        with refused("RESOURCE_EXHAUSTED", str(disk.data)):
            backplane.upload(bytes(1 << 20))
        with refused(disk.code, "ftl.db"):
            backplane.create(module(comments=["another"]))
        (problem,) = store_problems(backplane)
        assert "tried again every" in problem
        assert f"are free at {disk.data}" in problem
        scaled = backplane.rpc.ScaleModule.future(ftl.ScaleModuleRequest(module="echo", replicas=2), timeout=LONG)
        wait_for(lambda: len(backplane.runners("alive")) == 2, "the second replica")
        assert backplane.call("echo.echo").body == b"{}"
        assert store_problems(backplane)
        assert not scaled.done()
        late = backplane.spawn("--takeover")
        assert late.wait(LONG) == 1
        assert "changes are queued that the store cannot write" in backplane.log()
        assert backplane.call("echo.echo").body == b"{}"
        assert disk.files() == before
        disk.free()
        scaled.result()
        wait_for(lambda: not backplane.status().problems, "the end of the problem")
        wait_for(lambda: "EVENT_KIND_BACKPLANE_WRITES_AGAIN" in event_names(backplane), "the event of the end")
        names = event_names(backplane)
        assert names.count("EVENT_KIND_BACKPLANE_CANNOT_WRITE") == 1
        assert names.count("EVENT_KIND_BACKPLANE_WRITES_AGAIN") == 1
        backplane.kill()
        backplane.start()
        (shown,) = backplane.status().deployments
        assert (shown.key, shown.replicas) == (key, 2)
        assert backplane.artefacts_of(key) == {"main": b"content"}
        assert disk.files() == before
    finally:
        for runner in runners:
            runner.die()


def test_runners_that_the_platform_cannot_start_are_a_problem(backplane):
    def told():
        return [text for text in backplane.status().problems if text.startswith("Runners for test cannot be had: ")]

    # The folder with the sockets and folders of Runners is replaced by a file, as its permissions would not stop root.
    run, away = backplane.data / "run", backplane.data / "away"
    run.rename(away)
    run.touch()
    key = backplane.deploy(module(), {"main": b"#!/bin/sh\nexit 1\n"})
    wait_for(told, "the problem")
    steps = backplane.watch(key)
    assert steps[-1].state == ftl.DEPLOYMENT_STATE_FAILED
    assert "no Runner for the language test could be had" in steps[-1].text
    assert told()
    run.unlink()
    away.rename(run)
    backplane.deploy(module(comments=["again"]), {"main": b"#!/bin/sh\nexit 1\n"})
    wait_for(lambda: not told(), "the end of the problem")
