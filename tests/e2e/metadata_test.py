# SPDX-License-Identifier: Apache-2.0
"""Headers of a call that go on to its module, on gRPC's C core: none that a client sends can fail the calls of others."""

import base64
import http.client
import json
import sys

import pytest
from harness import HERE, LONG, module


@pytest.fixture
def child(make_backplane, monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    backplane = make_backplane("--warm", "0").start()
    main = (HERE / "child.py").read_bytes().replace(b"#!/usr/bin/env python3", f"#!{sys.executable}".encode(), 1)
    backplane.wait_live(backplane.deploy(module("child", ("binary", "headers"), entry="main"), {"main": main}, replicas=2))
    return backplane


def ask(backplane, verb, headers):
    """The answer of a verb as a client that speaks JSON over HTTP/1.1 gets it: the status, and the body or the error."""
    connection = http.client.HTTPConnection(backplane.target, timeout=LONG)
    call = {"verb": {"module": "child", "name": verb}, "body": base64.b64encode(b'{"text":""}').decode()}
    connection.putrequest("POST", "/xyz.block.ftl.v1.VerbService/Call")
    body = json.dumps(call).encode()
    for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]:
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, json.loads(base64.b64decode(answer["body"])) if "body" in answer else answer


@pytest.mark.parametrize("name", ["grpc-trace-bin", "x-own-bin"])
@pytest.mark.parametrize("value", ["!!!", "A", "AAE=AAE=", "AAE,!!!"])
def test_a_malformed_binary_header_is_refused_and_harms_no_other_call(child, name, value):
    for _ in range(3):
        status, answer = ask(child, "binary", [(name, value)])
        assert (status, answer["code"]) == (400, "invalid_argument")
        assert answer["message"] == f"the header {name} is binary, as its name ends in -bin, so its value must be base64"
        for good in "AAE=", "AAI", "AAM=":
            # gRPC's C core keeps the trace to itself.
            seen = [[name, base64.b64decode(good + "==").hex()]] if name != "grpc-trace-bin" else []
            assert ask(child, "binary", [(name, good)]) == (200, seen)


@pytest.mark.parametrize(("values", "bytes_of"), [
    (["AAE="], ["0001"]), (["AAE"], ["0001"]), (["_-8="], ["ffef"]), (["/+8"], ["ffef"]), ([""], [""]),
    (["AAE, AAI="], ["0001", "0002"]), (["AAE=,AAI", "AAM"], ["0001", "0002", "0003"]),
])
def test_each_form_of_a_binary_value_arrives(child, values, bytes_of):
    headers = [("X-Own-Bin", value) for value in values]
    assert ask(child, "binary", headers) == (200, [["x-own-bin", one] for one in bytes_of])


def test_binary_metadata_of_a_grpc_client_goes_both_ways(child):
    future = child.call_future("child.binary", metadata=(("x-own-bin", b"\xff\0"), ("x-other-bin", b"t")))
    assert json.loads(future.result().body) == [["x-own-bin", "ff00"], ["x-other-bin", "74"]]
    assert ("answer-bin", b"\0\1\2") in [tuple(one) for one in future.initial_metadata()]


@pytest.mark.parametrize("header", [
    ("Proxy-Connection", "keep-alive"), ("Proxy-Authorization", "Basic x"), ("Keep-Alive", "timeout=5"), ("TE", "gzip"),
    ("Trailer", "x"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"), ("Connection", "X-Hop, keep-alive"),
    ("x!y", "1"), ("x~y", "1"),
])
def test_headers_of_one_hop_stay_on_it(child, header):
    """Headers whose names gRPC does not know are dropped: its C core fails a call over them."""
    status, seen = ask(child, "headers", [header, ("X-Hop", "1"), ("X-End", "to end")])
    names = {name for name, _ in seen}
    assert status == 200
    assert header[0].lower() not in names - {"te"} and "x-end" in names
    assert ("x-hop" in names) == (header[0] != "Connection")


def test_no_header_of_a_caller_has_a_replica_left_out(child):
    """More calls than failures in a row that have a replica left out, each with a header that once failed it."""
    for header in ("Proxy-Connection", "keep-alive"), ("X-Own-Bin", "!"), ("x!y", "1"):
        for _ in range(16):
            ask(child, "headers", [header])
    assert [runner.left_out for runner in child.runners() if runner.deployment_key] == ["", ""]
    assert "was lost" not in child.log() and "broke off" not in child.log()


def test_words_of_other_alphabets_arrive(child):
    status, seen = ask(child, "headers", [("X-Name", "José".encode())])
    assert status == 200 and "x-name" in {name for name, _ in seen}
