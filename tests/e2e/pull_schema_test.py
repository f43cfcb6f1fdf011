# SPDX-License-Identifier: Apache-2.0
"""PullSchema sends the active schemas, then a mark, then each change; `ftl schema get --follow` prints them."""

import json
import os
import queue
import subprocess
import threading

import grpc
import pytest
from fake_backplane import ftl_grpc
from harness import FTL, LONG, SANITIZED, memory_peak, module, wait_for
from xyz.block.ftl.v1 import ftl_pb2 as ftl

ADDED, CHANGED = ftl.SCHEMA_CHANGE_ADDED, ftl.SCHEMA_CHANGE_CHANGED
REMOVED, ALL_TOLD = ftl.SCHEMA_CHANGE_REMOVED, ftl.SCHEMA_CHANGE_ALL_TOLD


class Pull:
    """A PullSchema stream, read in a thread as messages arrive."""

    def __init__(self, backplane, name=""):
        self.call = backplane.rpc.PullSchema(ftl.PullSchemaRequest(module=name))
        self.news = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for response in self.call:
                self.news.put(response)
        except grpc.RpcError as error:
            self.news.put(error)

    def next(self):
        """The next change, its module and its verbs."""
        news = self.news.get(timeout=LONG)
        assert isinstance(news, ftl.PullSchemaResponse), news
        verbs = [decl.verb.name for decl in news.schema.decls if decl.WhichOneof("value") == "verb"]
        return news.change, news.module, verbs


@pytest.fixture
def pull(backplane):
    pulls = []

    def pull(name=""):
        pulls.append(Pull(backplane, name))
        return pulls[-1]

    yield pull
    for one in pulls:
        one.call.cancel()


def test_what_is_active_then_each_change(backplane, make_runner, pull):
    for _ in range(4):
        make_runner().register()
    early = pull()
    assert early.next() == (ALL_TOLD, "", [])
    backplane.wait_live(backplane.deploy(module()))
    assert early.next() == (ADDED, "echo", ["echo"])
    late, other = pull(), pull("other")
    assert [late.next(), late.next()] == [(ADDED, "echo", ["echo"]), (ALL_TOLD, "", [])]
    assert other.next() == (ALL_TOLD, "", [])
    # Neither new code with the same schema nor a deployment that is still starting is a change.
    files = {"main": b"1"}
    backplane.wait_live(backplane.deploy(module(), files))
    backplane.deploy(module(name="never", language="none"))
    backplane.wait_live(backplane.deploy(module(verbs=["echo", "more"])))
    for each in (early, late):
        assert each.next() == (CHANGED, "echo", ["echo", "more"])
    backplane.wait_live(backplane.deploy(module(name="other", verbs=["echo"])))
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    for each in (early, late):
        assert each.next() == (ADDED, "other", ["echo"])
        assert each.next() == (REMOVED, "echo", [])
    assert other.next() == (ADDED, "other", ["echo"])


def test_a_restarted_backplane_sends_the_schemas_of_before(backplane, runner, make_runner, pull):
    backplane.wait_live(backplane.deploy(module()))
    before = pull()
    assert before.next() == (ADDED, "echo", ["echo"])
    assert before.next() == (ALL_TOLD, "", [])
    backplane.kill()
    assert isinstance(before.news.get(timeout=LONG), grpc.RpcError)
    backplane.start()
    after = pull()
    assert after.next() == (ADDED, "echo", ["echo"])
    assert after.next() == (ALL_TOLD, "", [])


def test_a_reader_that_stalls_delays_nobody(backplane, make_runner, pull):
    """Large schemas change often: a slow reader has at most one change of each module queued, and gets the last one."""
    for _ in range(3):
        make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    stuck = [backplane.rpc.PullSchema(ftl.PullSchemaRequest()) for _ in range(20)]
    for call in stuck:
        assert next(call).module == "echo"
    quick = pull()
    assert [quick.next()[0], quick.next()[0]] == [ADDED, ALL_TOLD]
    before = memory_peak(backplane.process.pid)
    comments = ["x" * 900_000]
    for round in range(12):
        verbs = ["echo", f"round{round}"]
        backplane.wait_live(backplane.deploy(module(verbs=verbs, comments=comments)))
        assert quick.next() == (CHANGED, "echo", verbs)
    # A queue of all changes for each reader would take 216 MB.
    if not SANITIZED:
        assert memory_peak(backplane.process.pid) - before < 100 << 20
    for call in stuck:
        changes = [next(call)]
        while not any(decl.verb.name == "round11" for decl in changes[-1].schema.decls):
            changes.append(next(call))
        assert sum(one.change == ALL_TOLD for one in changes) == 1
        assert len(changes) <= 13
        call.cancel()


def test_the_number_of_readers_is_limited(backplane, refused):
    """A client above the limit is refused with the reason, and one that leaves makes room."""
    channels = [backplane.new_channel() for _ in range(8)]
    stubs = [ftl_grpc.BackplaneServiceStub(channel) for channel in channels]
    pulls = [stubs[index % 8].PullSchema(ftl.PullSchemaRequest()) for index in range(1000)]
    for pull in pulls:
        assert next(pull).change == ALL_TOLD
    with refused("RESOURCE_EXHAUSTED", "max-schema-pulls is 1000"):
        next(backplane.rpc.PullSchema(ftl.PullSchemaRequest()))
    pulls[0].cancel()

    def is_accepted():
        try:
            return next(backplane.rpc.PullSchema(ftl.PullSchemaRequest())).change == ALL_TOLD
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            return False

    wait_for(is_accepted, "room for one more")
    for channel in channels:
        channel.close()


def test_follow_prints_the_changes(backplane, make_runner):
    for _ in range(3):
        make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "FTL_ENDPOINT": backplane.endpoint}

    def follow(*options):
        command = [FTL, "schema", "get", "--follow", *options]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    as_json, as_text = follow("-o", "json"), follow("echo")
    try:
        first = json.loads(as_json.stdout.readline())
        assert (first["change"], first["module"], first["schema"]["name"]) == ("added", "echo", "echo")
        assert json.loads(as_json.stdout.readline()) == {"change": "all_told"}
        while as_text.stdout.readline() != "}\n":
            pass
        backplane.wait_live(backplane.deploy(module(verbs=["echo", "more"])))
        assert json.loads(as_json.stdout.readline())["change"] == "changed"
        assert [as_text.stdout.readline() for _ in "12"] == ["\n", "// changed echo\n"]
        text = "".join(iter(as_text.stdout.readline, "}\n"))
        assert "verb more(" in text
        backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
        assert json.loads(as_json.stdout.readline()) == {"change": "removed", "module": "echo"}
        assert [as_text.stdout.readline() for _ in "12"] == ["\n", "// removed echo\n"]
    finally:
        for process in (as_json, as_text):
            process.terminate()
            process.wait()
    wrong = subprocess.run([FTL, "schema", "diff", "--follow"], env=environment, capture_output=True, text=True, timeout=LONG)
    assert wrong.returncode == 2 and "--follow is for get" in wrong.stderr
