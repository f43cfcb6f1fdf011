# SPDX-License-Identifier: Apache-2.0
"""The schema check of deployments and rollbacks against what is active and what is starting."""

import os
import subprocess

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import FTL, LONG, artefact, module

# A program that never becomes alive, so that its deployment stays STARTING.
SLEEPS = b"#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture
def sleepers(make_backplane):
    """Creates a deployment that stays STARTING for as long as the test runs. Returns a future."""
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
    """A rollback is checked as a deployment is: later deployments may rely on what the rollback removes."""

    def rollback(*arguments):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "FTL_ENDPOINT": sleepers.backplane.endpoint}
        command = [FTL, "rollback", "--no-wait", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG)

    def key_of_catalog():
        deployments = sleepers.backplane.status().deployments
        (key,) = [one.key for one in deployments if one.module == "catalog" and one.state == ftl.DEPLOYMENT_STATE_STARTING]
        return key

    first = sleepers(name="catalog", verbs=["find"]).result().deployment_key
    key = sleepers(name="catalog", verbs=["find", "list"]).result().deployment_key
    sleepers(name="cart", verbs=["total"], calls=calls("list")).result()
    refused = rollback("catalog", first)
    assert refused.returncode == 1
    assert "cart.total calls catalog.list" in refused.stderr and "--allow-breaking" in refused.stderr
    assert key_of_catalog() == key
    forced = rollback("--allow-breaking", "catalog", first)
    assert forced.returncode == 0 and "takes over" in forced.stdout
    assert key_of_catalog() != key
    # Returning to the newer deployment removes nothing that another module uses.
    assert rollback("catalog", key).returncode == 0
    assert key_of_catalog() == key


def create(backplane, schema, forced=False):
    request = ftl.CreateDeploymentRequest(
        schema=schema, artefacts=[artefact("main", SLEEPS, executable=True)], allow_breaking=forced
    )
    return backplane.rpc.CreateDeployment(request, timeout=LONG)


def catalog(*needed):
    """A catalog whose verb find takes a text and the needed fields."""
    made = module("catalog", verbs=["find"], language="c")
    fields = [schema.Field(name=name, type=schema.Type(string=schema.String())) for name in needed]
    made.decls[0].data.fields.extend(fields)
    return made


CART = module("cart", verbs=["total"], language="c", calls=calls("find"))


def test_callers_keep_the_needs_that_they_were_deployed_with(sleepers, refused):
    """Killing a module frees it of no caller; going back to what callers were built for is never refused."""
    backplane = sleepers.backplane
    first = create(backplane, catalog()).deployment_key
    create(backplane, CART)
    for restart in (False, True):
        backplane.rpc.KillModule(ftl.KillModuleRequest(module="catalog"))
        if restart:
            backplane.kill()
            backplane.start()
        with refused("FAILED_PRECONDITION", "cart.total calls catalog.find", "shop", reason="BREAKS_CALLERS"):
            create(backplane, catalog("shop"))
        create(backplane, catalog("shop"), forced=True)
        assert create(backplane, catalog()).deployment_key == first
        backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="catalog", deployment_key=first))


def test_a_caller_that_comes_back_must_fit_what_changed(sleepers, refused):
    """The deployment was built for what was deployed at its time, so its schema alone does not tell whether it fits."""
    backplane = sleepers.backplane
    create(backplane, catalog())
    key = create(backplane, CART).deployment_key
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="cart"))
    create(backplane, catalog("shop"))
    with refused("FAILED_PRECONDITION", "cart.total calls catalog.find", "shop", reason="SCHEMA_MISFIT"):
        create(backplane, CART)
    with refused("FAILED_PRECONDITION", "cart.total calls catalog.find", "shop", reason="SCHEMA_MISFIT"):
        backplane.rpc.RollbackModule(ftl.RollbackModuleRequest(module="cart", deployment_key=key))
    assert not [one for one in backplane.status().deployments if one.key == key and one.state == ftl.DEPLOYMENT_STATE_STARTING]
    assert create(backplane, CART, forced=True).deployment_key == key


def test_one_of_two_simultaneous_deployments_that_do_not_fit_is_refused(sleepers):
    """Each of the two fits the active schemas, but they do not fit each other: exactly one is refused."""
    for round in range(6):
        comments = [str(round)]  # makes it a new deployment
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


def test_a_schema_without_exports_may_be_used_and_call_freely(sleepers):
    """A schema without the export field of FTL: others may name all its declarations, and it may call any verb."""
    sleepers(name="catalog", verbs=["find"]).result()
    assert sleepers(name="cart", calls=calls("find")).result().deployment_key.startswith("dpl-cart-")
