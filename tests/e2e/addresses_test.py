# SPDX-License-Identifier: Apache-2.0
"""Addresses that one process hands to another, which works in another folder or on another machine."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest
from fake_backplane import schema
from harness import FTL, LONG, module, wait_for

CHILD = b"""#!/usr/bin/env python3
import json, os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
sys.path[:0] = json.loads(os.environ["TEST_PYTHON_PATH"])
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
import grpc
from xyz.block.ftl.v1 import ftl_pb2, ftl_pb2_grpc
from xyz.block.ftl.v1.schema import schema_pb2

ENDPOINT = os.environ["FTL_ENDPOINT"]
backplane = ftl_pb2_grpc.VerbServiceStub(grpc.insecure_channel(ENDPOINT.removeprefix("http://")))

class Verbs(ftl_pb2_grpc.VerbServiceServicer):
    def Ping(self, request, context):
        return ftl_pb2.PingResponse()

    def Call(self, request, context):
        told = {"text": ENDPOINT}
        if request.verb.name == "nest":
            verb = schema_pb2.VerbRef(module=request.verb.module, name="echo")
            carried = [pair for pair in context.invocation_metadata() if pair[0].startswith("ftl-verb")]
            nested = ftl_pb2.CallRequest(verb=verb, body=request.body)
            return backplane.Call(nested, metadata=carried, timeout=20)
        return ftl_pb2.CallResponse(body=json.dumps(told).encode())

server = grpc.server(ThreadPoolExecutor(4))
ftl_pb2_grpc.add_VerbServiceServicer_to_server(Verbs(), server)
server.add_insecure_port(os.environ["FTL_BIND"].removeprefix("http://"))
server.start()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
server.stop(5).wait()
"""


@pytest.fixture(autouse=True)
def python_path(monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))


def deploy_child(backplane, language="python"):
    verbs = schema.VerbRef(module="child", name="echo")
    described = module("child", verbs=["echo", "nest"], language=language, calls=[verbs])
    backplane.wait_live(backplane.deploy(described, {"main": CHILD}))


@pytest.fixture
def relative(make_backplane, tmp_path):
    """A Backplane that was told a relative path of a socket."""
    (tmp_path / "run").mkdir()
    backplane = make_backplane("--warm", "0", bind="unix:run/rel.sock")
    return backplane.start(cwd=tmp_path)


def test_a_relative_socket_of_a_backplane_reaches_its_children(relative, tmp_path):
    assert relative.endpoint == f"unix:{tmp_path}/run/rel.sock"
    deploy_child(relative)
    for verb in ("echo", "nest"):
        answer = relative.call(f"child.{verb}")
        assert json.loads(answer.body) == {"text": f"unix:{tmp_path}/run/rel.sock"}
    assert f"serves on unix:{tmp_path}/run/rel.sock" in relative.log()


def test_the_file_of_a_relative_socket_is_removed_at_the_end(relative, tmp_path):
    relative.stop()
    assert not (tmp_path / "run/rel.sock").exists()


def test_a_takeover_finds_a_relative_socket(relative, tmp_path):
    """The new process is started in another folder, with the path as it is from there."""
    deploy_child(relative)
    old = relative.process
    relative.process = relative.spawn("--takeover", bind="unix:../run/rel.sock", cwd=tmp_path / "run")
    wait_for(lambda: relative.port_file.exists(), "the takeover")
    old.wait(LONG)
    relative.connect()
    assert json.loads(relative.call("child.nest").body) == {"text": f"unix:{tmp_path}/run/rel.sock"}


def start_runner(folder, *options):
    command = [FTL, "runner", "--language", "mine", *options]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def test_a_runner_with_relative_sockets(relative, tmp_path):
    """Both its own and the Backplane's, by the option and by the environment; the Backplane works elsewhere."""
    os.environ["FTL_ENDPOINT"] = "unix:rel.sock"
    runner = start_runner(tmp_path / "run", "--bind", "unix:./own.sock", "--key", "rnr-mine")
    del os.environ["FTL_ENDPOINT"]
    try:
        wait_for(lambda: relative.runners(), "the registration")
        assert [one.endpoint for one in relative.runners()] == [f"unix:{tmp_path}/run/own.sock"]
        deploy_child(relative, "mine")
        assert json.loads(relative.call("child.nest").body) == {"text": f"unix:{tmp_path}/run/rel.sock"}
    finally:
        runner.terminate()
        runner.communicate(timeout=LONG)


@pytest.mark.parametrize("host, own", [("0.0.0.0", "127.0.0.1"), ("[::]", r"127\.0\.0\.1|\[::1\]")])
def test_a_runner_on_every_address_registers_one(backplane, host, own):
    if host == "[::]" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    runner = start_runner("/", "--endpoint", backplane.endpoint, "--bind", f"http://{host}:0")
    try:
        wait_for(lambda: backplane.runners(), "the registration")
        assert re.fullmatch(rf"http://({own}):[1-9]\d+", backplane.runners()[0].endpoint)
    finally:
        runner.terminate()
        runner.communicate(timeout=LONG)


def route_to(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            return probe.getsockname()[0]
        except OSError:
            return None


def test_a_runner_that_another_machine_cannot_reach_says_so():
    """192.0.2.1 is of no machine (RFC 5737). Nothing is sent to it before the refusal."""
    own = route_to("192.0.2.1")
    if own is None:
        pytest.skip("this machine has no route to other machines")
    runner = start_runner("/", "--endpoint", "http://192.0.2.1:8892")
    _, said = runner.communicate(timeout=LONG)
    assert runner.returncode == 1
    assert "the Backplane at http://192.0.2.1:8892 is on another machine, which cannot reach this Runner" in said
    assert f"listen on an address such as http://{own}:0" in said


@pytest.mark.parametrize(
    "endpoint, words",
    [
        ("unix:run/own.sock", "the path of unix:run/own.sock is relative"),
        ("http://0.0.0.0:5000", "every address"),
        ("http://[::]:5000", "every address"),
        ("http://127.0.0.1:0", "port 0"),
    ],
)
def test_a_registration_that_leads_nowhere_is_refused(backplane, make_runner, refused, endpoint, words):
    with refused("INVALID_ARGUMENT", "the Runner's endpoint", words):
        make_runner().register(endpoint=endpoint)
    assert backplane.runners() == []


@pytest.mark.parametrize("command", [["serve", "--data", "data"], ["runner", "--language", "x"]])
def test_a_socket_whose_absolute_path_is_too_long_is_refused(tmp_path, command):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    ran = subprocess.run(
        [FTL, *command, "--bind", "unix:rel.sock"], check=False, cwd=deep, capture_output=True, text=True, timeout=LONG
    )
    assert ran.returncode == 2
    assert f"--bind: unix:rel.sock is {deep}/rel.sock for other processes" in ran.stderr
    assert "the path of a socket has at most 107" in ran.stderr
    assert list(deep.iterdir()) == []


def test_a_build_command_gets_an_absolute_endpoint(relative, tmp_path):
    """The build command runs in the folder of its module."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "ftl.toml").write_text(
        'module = "m"\nlanguage = "x"\nbuild = "echo at=$FTL_ENDPOINT"\ndeploy = ["m.ftl"]\nentry = "m.ftl"\n'
    )
    (folder / "m.ftl").write_text("module m {\n  export verb v(Unit) Unit\n}\n")
    environment = {**os.environ, "FTL_ENDPOINT": "unix:run/rel.sock"}
    ran = subprocess.run(
        [FTL, "build", "m"], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LONG
    )
    assert ran.returncode == 0, ran.stderr
    assert f"at=unix:{tmp_path}/run/rel.sock" in ran.stdout + ran.stderr


def test_a_relative_socket_in_ftl_toml_begins_in_its_folder(relative, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "ftl.toml").write_text(
        'module = "m"\nlanguage = "x"\nendpoint = "unix:../run/rel.sock"\ndeploy = ["m.ftl"]\nentry = "m.ftl"\n'
    )
    (folder / "m.ftl").write_text("module m {\n  export verb v(Unit) Unit\n}\n")
    (folder / "m.ftl").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "FTL_ENDPOINT"}
    ran = subprocess.run(
        [FTL, "deploy", "--no-wait", folder],
        check=False,
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert ran.returncode == 0, ran.stderr
    assert [one.module for one in relative.status().deployments] == ["m"]
