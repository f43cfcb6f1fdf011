# SPDX-License-Identifier: Apache-2.0
"""What a deployment must fit: what is active and what comes up, also when two come at once, and when one goes back."""

import os
import subprocess

import grpc
import pytest
from fake_backplane import ftl, schema
from whole import FTL, LONG, artefact, module

# It never comes up, and so stays what comes up.
SLEEPS = b"#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture
def sleepers(make_backplane):
    """Creates a deployment of verbs that comes up for as long as the test runs. Answers a future."""
    backplane = make_backplane("--warm", "0", "--start-timeout", "1h", "--drain-timeout", "1s").start()
    backplane.upload(SLEEPS)

    def create(forced=False, **given):
        request = ftl.CreateDeploymentRequest(
            schema=module(language="c", **given), artefacts=[artefact("main", SLEEPS, executable=True)], allow_breaking=forced
        )
        return backplane.rpc.CreateDeployment.future(request, timeout=LONG)

    create.backplane = backplane
    return create


def calls(*verbs):
    return [schema.VerbRef(module="catalog", name=verb) for verb in verbs]


def test_a_rollback_must_fit_what_is_deployed_now(sleepers):
    """As a deployment must: who was deployed since relies on what it would take away."""

    def rollback(*arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "FTL_ENDPOINT": sleepers.backplane.endpoint}
        command = [FTL, "rollback", "--no-wait", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG)

    def key_of_catalog():
        deployments = sleepers.backplane.status().deployments
        (key,) = [one.key for one in deployments if one.module == "catalog" and one.state == ftl.DEPLOYMENT_STATE_STARTING]
        return key

    sleepers(name="catalog", verbs=["find"]).result()
    key = sleepers(name="catalog", verbs=["find", "list"]).result().deployment_key
    sleepers(name="cart", verbs=["total"], calls=calls("list")).result()
    refused = rollback("catalog")
    assert refused.returncode == 1
    assert "cart.total calls catalog.list" in refused.stderr and "--allow-breaking" in refused.stderr
    assert key_of_catalog() == key
    forced = rollback("--allow-breaking", "catalog")
    assert forced.returncode == 0 and "takes over" in forced.stdout
    assert key_of_catalog() != key
    # Forwards again it breaks nobody.
    assert rollback("catalog", key).returncode == 0
    assert key_of_catalog() == key


def test_of_two_deployments_at_once_that_do_not_fit_one_passes(sleepers):
    """Each fits what is there. Which one is refused is left to chance; that one is, is not."""
    for round in range(6):
        comments = [str(round)]  # so that nothing of it was there before
        sleepers(True, name="catalog", verbs=["find", "list"], comments=comments).result()
        sleepers(True, name="cart", verbs=["total"], comments=comments).result()
        given = [dict(name="catalog", verbs=["find"]), dict(name="cart", verbs=["total"], calls=calls("list"))]
        if round % 2:
            given.reverse()
        both = [sleepers(**one, comments=comments) for one in given]
        errors = [error for error in (one.exception() for one in both) if error is not None]
        assert len(errors) == 1
        assert errors[0].code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "catalog" in errors[0].details()


def test_a_peer_that_knows_no_export_is_not_held_to_it(sleepers):
    """The contract without our fields: whatever a module has may be named, and it may call what it likes."""
    sleepers(name="catalog", verbs=["find"]).result()
    assert sleepers(name="cart", calls=calls("find")).result().deployment_key.startswith("dpl-cart-")
