# SPDX-License-Identifier: Apache-2.0
"""What a Backplane tells of itself."""

import time

from fake_backplane import ftl
from whole import LONG, SANITIZED, memory_peak, module, wait_for


def test_an_empty_one(backplane):
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


def test_what_is_wrong_is_told(backplane, runner):
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
    # And shown until another one is wanted, also by the next Backplane.
    for _ in range(2):
        (failed,) = backplane.status().deployments
        assert (failed.key, failed.state, failed.alive) == (key, ftl.DEPLOYMENT_STATE_FAILED, 0)
        assert "its configuration is missing" in failed.detail
        backplane.kill()
        backplane.start()
    backplane.deploy(module(comments=["better"]))
    assert key not in [one.key for one in backplane.status().deployments]


def test_what_was_stopped_last_is_still_told(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    state = ftl.DEPLOYMENT_STATE_STOPPED
    wait_for(lambda: [(one.key, one.state) for one in backplane.status().deployments] == [(key, state)], "its end")


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


def test_the_steps_of_a_deployment_are_told_as_they_come(backplane, runner):
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


def test_idle_it_costs_next_to_nothing(backplane, runner):
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
    # Clock ticks of a hundredth of a second.
    assert after - before <= 2
