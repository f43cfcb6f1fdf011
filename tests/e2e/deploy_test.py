# SPDX-License-Identifier: Apache-2.0
"""Deployments: the steps of creating one, which requests give the same deployment, and what survives a crash."""

import pytest
from fake_backplane import ftl, schema
from harness import LONG, artefact, digest_of, module, wait_for

MAIN = b"#!/bin/sh\nexit 0\n"
FILES = {"main": MAIN, "lib/data.bin": bytes(range(256)) * 5000}


# --- the flow ---------------------------------------------------------------------------------------------------


def test_the_steps_of_a_deployment_in_their_order(backplane, runner):
    digests = [digest_of(content) for content in FILES.values()]
    missing = backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests))
    assert list(missing.missing_digests) == digests
    backplane.upload(MAIN)
    missing = backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests))
    assert list(missing.missing_digests) == digests[1:]
    assert [one.digest for one in missing.client_artefacts] == digests[:1]
    key = backplane.deploy(module(), FILES)
    backplane.wait_live(key)
    flow = [step for step in runner.log if step != "Ping"]
    assert flow == ["RegisterRunner", "Deploy", "GetDeployment", "GetDeploymentArtefacts", "Deployed"]
    assert runner.fetched == FILES
    assert backplane.call("echo.echo", b'{"text":"x"}').body == b'{"text":"x"}'


def test_calls_reach_a_deployment_only_once_it_is_alive(backplane, runner, refused):
    runner.brings_up = False
    key = backplane.deploy(module())
    assert runner.deploys.get(timeout=LONG) == key
    with refused("UNAVAILABLE", "echo", "starting"):
        backplane.call("echo.echo")
    assert runner.calls.empty()
    runner.bring_up(key)
    # Deployed is answered before the routing table has the deployment.
    backplane.wait_live(key)
    assert backplane.call("echo.echo", b"{}").body == b"{}"


def test_get_deployment_returns_what_was_deployed(backplane, runner):
    told_schema = module(verbs=["echo", "other"], comments=["Says it again."])
    key = backplane.deploy(told_schema, FILES)
    told = backplane.rpc.GetDeployment(ftl.GetDeploymentRequest(deployment_key=key))
    assert told.schema.runtime.create_time.seconds > 1_600_000_000
    told.schema.runtime.ClearField("create_time")
    assert told.schema == told_schema
    assert sorted((one.path, one.digest, one.executable) for one in told.artefacts) == [
        ("lib/data.bin", digest_of(FILES["lib/data.bin"]), False),
        ("main", digest_of(MAIN), True),
    ]


def test_a_runner_that_has_some_artefacts_gets_the_rest(backplane, runner):
    key = backplane.deploy(module(), FILES)
    assert backplane.artefacts_of(key, have=[artefact("main", MAIN)]) == {"lib/data.bin": FILES["lib/data.bin"]}
    assert backplane.artefacts_of(key, have=[artefact("other", MAIN)]) == FILES
    assert backplane.artefacts_of(key, have=[artefact(path, content) for path, content in FILES.items()]) == {}


def test_an_empty_artefact_is_one_empty_chunk(backplane, runner):
    key = backplane.deploy(module(), {"main": MAIN, "empty": b""})
    assert backplane.artefacts_of(key) == {"main": MAIN, "empty": b""}


def test_a_deployment_that_does_not_come_up_says_why(backplane, runner, refused):
    runner.brings_up = False
    key = backplane.deploy(module())
    runner.deploys.get(timeout=LONG)
    runner.report(key, error="main exited with status 3", lines=["no such file", "good bye"])
    last = backplane.watch(key)[-1]
    assert last.state == ftl.DEPLOYMENT_STATE_FAILED
    assert "main exited with status 3" in last.text
    assert list(last.last_lines) == ["no such file", "good bye"]
    with refused("UNAVAILABLE", key, "main exited with status 3"):
        backplane.call("echo.echo")
    assert [one.key for one in backplane.runners("idle")] == [runner.key]


def test_a_failed_deployment_leaves_the_old_one_serving(backplane, make_runner):
    old, new = (make_runner().register() for _ in range(2))
    backplane.wait_live(backplane.deploy(module()))
    old.failure = new.failure = "it does not start"
    key = backplane.deploy(module(comments=["2"]))
    assert backplane.watch(key)[-1].state == ftl.DEPLOYMENT_STATE_FAILED
    assert backplane.call("echo.echo", b"{}").body == b"{}"


def test_a_new_deployment_replaces_the_old_one(backplane, make_runner):
    old = make_runner(verbs={"echo": lambda *_: b'"old"'}).register()
    first = backplane.deploy(module())
    backplane.wait_live(first)
    make_runner(verbs={"echo": lambda *_: b'"new"'}).register()
    second = backplane.deploy(module(comments=["2"]))
    backplane.wait_live(second)
    assert backplane.call("echo.echo").body == b'"new"'
    assert old.terminated.get(timeout=LONG).deployment_key == first
    assert backplane.watch(first)[-1].state == ftl.DEPLOYMENT_STATE_STOPPED


def test_a_runner_that_dies_while_it_deploys_is_replaced(backplane, make_runner):
    first = make_runner().register()
    first.brings_up = False
    key = backplane.deploy(module())
    first.deploys.get(timeout=LONG)
    second = make_runner().register()
    first.die()
    backplane.wait_live(key)
    assert second.hosts == key


def test_replicas_share_the_calls(backplane, make_runner):
    runners = [make_runner().register() for _ in range(3)]
    key = backplane.deploy(module(), replicas=3)
    backplane.wait_live(key)
    for _ in range(60):
        backplane.call("echo.echo")
    assert all(runner.calls.qsize() > 0 for runner in runners)
    assert sum(runner.calls.qsize() for runner in runners) == 60


def test_kill_ends_the_deployment_of_a_module(backplane, runner, refused):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    assert backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo")).deployment_key == key
    assert runner.terminated.get(timeout=LONG).deployment_key == key
    wait_for(lambda: backplane.runners("idle"), "the Runner to be idle again")
    with refused("UNAVAILABLE", "stopped"):
        backplane.call("echo.echo")
    with refused("NOT_FOUND", "ecco", "did you mean echo"):
        backplane.rpc.KillModule(ftl.KillModuleRequest(module="ecco"))


def test_deploying_again_after_a_kill_gives_the_same_deployment(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    wait_for(lambda: backplane.runners("idle"), "the Runner to be idle again")
    again = backplane.create(module())
    assert (again.deployment_key, again.existed) == (key, True)
    backplane.wait_live(key)
    assert backplane.call("echo.echo").body == b"{}"


# --- identity ---------------------------------------------------------------------------------------------------


def test_deploying_the_same_again_gives_the_same_deployment(backplane, runner):
    key = backplane.deploy(module(), FILES)
    backplane.wait_live(key)
    artefacts = [artefact(path, content, path == "main") for path, content in FILES.items()]
    for order in (artefacts, artefacts[::-1]):
        again = backplane.create(module(), order)
        assert (again.deployment_key, again.existed) == (key, True)
    backplane.wait_live(key)
    assert runner.deploys.qsize() == 1


def test_deploying_the_same_during_its_start_gives_the_same_deployment(backplane, runner):
    runner.brings_up = False
    key = backplane.deploy(module())
    assert backplane.deploy(module()) == key
    assert backplane.deploy(module()) == key
    runner.bring_up(key)
    backplane.wait_live(key)


@pytest.mark.parametrize(
    "changed",
    [
        module(verbs=["echo", "other"]),
        module(comments=["a word more"]),
        module(calls=[schema.VerbRef(module="echo", name="echo")]),
        module(name="other"),
    ],
    ids=["verb", "comment", "calls", "name"],
)
def test_another_schema_is_another_deployment(backplane, make_runner, changed):
    make_runner().register(), make_runner().register()
    backplane.upload(MAIN)
    first = backplane.create(module(), [artefact("main", MAIN, True)])
    second = backplane.create(changed, [artefact("main", MAIN, True)])
    assert not second.existed
    assert second.deployment_key != first.deployment_key


@pytest.mark.parametrize(
    "artefacts",
    [
        [artefact("main", MAIN, True), artefact("copy", MAIN, True)],
        [artefact("main", MAIN, True), artefact("copy", MAIN, False)],
        [artefact("main", MAIN, True), artefact("a", b"1")],
        [artefact("main", MAIN, True), artefact("a", b"2")],
        [artefact("main", MAIN, True), artefact("b", b"1")],
        [artefact("main", MAIN, True), artefact("a", b"2"), artefact("b", b"1")],
        [artefact("main", MAIN, True), artefact("a", b"1"), artefact("b", b"2")],
        [],
    ],
    ids=["two paths", "not executable", "file", "content", "path", "swapped", "both", "empty"],
)
def test_other_artefacts_are_another_deployment(backplane, make_runner, artefacts):
    make_runner().register(), make_runner().register()
    for content in (MAIN, b"1", b"2"):
        backplane.upload(content)
    first = backplane.create(module(), [artefact("main", MAIN, True)])
    second = backplane.create(module(), artefacts)
    assert not second.existed and second.deployment_key != first.deployment_key
    told = backplane.rpc.GetDeployment(ftl.GetDeploymentRequest(deployment_key=second.deployment_key))
    assert sorted(one.path for one in told.artefacts) == sorted(one.path for one in artefacts)
    assert backplane.create(module(), artefacts).deployment_key == second.deployment_key


def test_two_paths_of_equal_content_are_two_files(backplane, runner):
    files = {"main": MAIN, "one": b"same", "two": b"same"}
    key = backplane.deploy(module(), files)
    backplane.wait_live(key)
    assert runner.fetched == files


# --- durability -------------------------------------------------------------------------------------------------


def test_an_answered_deployment_survives_a_kill(backplane, runner):
    runner.brings_up = False
    key = backplane.deploy(module(), FILES)
    backplane.kill()
    backplane.start()
    assert backplane.artefacts_of(key) == FILES
    digests = [digest_of(content) for content in FILES.values()]
    assert not backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests)).missing_digests
    artefacts = [artefact(path, content, path == "main") for path, content in FILES.items()]
    assert backplane.create(module(), artefacts).deployment_key == key


def test_an_unfinished_upload_leaves_nothing_after_a_kill(backplane):
    def pieces():
        yield ftl.UploadArtefactRequest(content=b"x" * 3_000_000)
        wait_for(lambda: any(backplane.data.glob("artefacts/**/*")), "the file")
        backplane.kill()

    call = backplane.rpc.UploadArtefact.future(pieces())
    wait_for(lambda: backplane.process is None, "the kill")
    call.cancel()
    backplane.start()
    left = [path for path in backplane.data.glob("artefacts/**/*") if path.is_file() and path.stat().st_size > 100]
    assert left == []
