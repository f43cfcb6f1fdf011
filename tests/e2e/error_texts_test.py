# SPDX-License-Identifier: Apache-2.0
"""The text of an error arrives as the module gave it, in each protocol: with blanks around it, in any script, and long."""

import base64
import http.client
import json
import os
import subprocess
import sys

import grpc
import grpc_go
import pytest
from harness import HERE, LONG, module

TEXT_MAX = 4096  # max-error-text
HEADER_MAX = 1536  # of the text in gRPC's header, encoded; the whole is in the details
SOURCE = """
#include <ftl/module.h>

static int refuse(struct ftl_context *ftl) {
	return ftl_refuse(ftl, "%s", ftl_get_string(ftl, ftl->request, "text"));
}

static int fail(struct ftl_context *ftl) {
	return ftl_fail(ftl, "%s", ftl_get_string(ftl, ftl->request, "text"));
}

FTL_MODULE("texts", {"refuse", refuse, 0}, {"fail", fail, 0});
"""
TEXTS = {
    "blank at the end": "unknown colour: ",
    "blanks around": "  two, and a tab\t",
    "only a blank": " ",
    "percent": "100% of %41",
    "lines": "first\nsecond\r\n",
    "1023": "x" * 1022 + "é",
    "1024": "x" * 1023 + "é" * 200,
    "longest": "日" * 1365 + "x",
    "too long": "x" + "日" * 4000,
    "ascii": "a" * 3000,
}


def arrives(text):
    encoded = text.encode()
    return text if len(encoded) <= TEXT_MAX else encoded[:TEXT_MAX - 3].decode(errors="ignore") + "…"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "texts.c").write_text(SOURCE)
    subprocess.run([os.environ.get("CC", "cc"), f"-I{HERE.parents[1] / 'include'}", "-shared", "-fPIC", "-o", folder / "texts.so",
                    folder / "texts.c"], check=True)
    return (folder / "texts.so").read_bytes()


@pytest.fixture
def texts(make_backplane, library, monkeypatch):
    """A Backplane with three modules that refuse with the text of their request: in C, on gRPC's C core, and on a stack
    that sends the text as it is told to."""
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    backplane = make_backplane("--warm", "0").start()
    entries = {"texts": ("texts.so", library)}
    for name, source in ("child", "child.py"), ("gomod", "grpc_go.py"):
        content = (HERE / source).read_bytes().replace(b"#!/usr/bin/env python3", f"#!{sys.executable}".encode(), 1)
        entries[name] = ("main", content)
    for name, (entry, content) in entries.items():
        verbs = {"texts": ("refuse", "fail"), "child": ("refuse", "headers"), "gomod": ("echo",)}[name]
        backplane.wait_live(backplane.deploy(module(name, verbs, entry=entry), {entry: content}))
    return backplane


def refusal_in_json(backplane, verb, text):
    name, verb = verb.split(".")
    body = base64.b64encode(json.dumps({"text": text}).encode()).decode()
    connection = http.client.HTTPConnection(backplane.target, timeout=LONG)
    connection.request("POST", "/xyz.block.ftl.v1.VerbService/Call",
                       json.dumps({"verb": {"module": name, "name": verb}, "body": body}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer.get("code"), answer.get("message")


def refusal_in_grpc(backplane, verb, text):
    """The code and the text of the header, and the text in the details or None."""
    with pytest.raises(grpc.RpcError) as raised:
        backplane.call(verb, json.dumps({"text": text}).encode())
    details = dict(raised.value.trailing_metadata()).get("grpc-status-details-bin")
    return raised.value.code(), raised.value.details(), details and whole_text(details)


def whole_text(status):
    """google.rpc.Status.message."""
    assert status[0] == 0x08 and status[2] == 0x12
    at, size, shift = 3, 0, 0
    while True:
        size |= (status[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if status[at - 1] < 128:
            return status[at:at + size].decode()


@pytest.mark.parametrize("verb", ["texts.refuse", "child.refuse"])
def test_the_text_of_a_refusal_arrives(texts, verb):
    for name, text in TEXTS.items():
        if verb == "child.refuse" and name == "too long":
            continue  # gRPC's C core sends no text that is longer than the headers that a Runner takes, encoded
        assert refusal_in_json(texts, verb, text) == (400, "invalid_argument", arrives(text)), name
        code, header, details = refusal_in_grpc(texts, verb, text)
        assert code == grpc.StatusCode.INVALID_ARGUMENT, name
        if header.endswith("…"):
            assert details == arrives(text) and details.startswith(header[:-1]), name
            assert HEADER_MAX - 18 < len(grpc_encoded(header)) <= HEADER_MAX, name
        else:
            assert header == arrives(text), name


def grpc_encoded(text):
    return "".join(chr(c) if 0x20 <= c <= 0x7E and c != 0x25 else f"%{c:02X}" for c in text.encode())


def test_the_text_of_a_failure_arrives(texts):
    """A failure is a part of the answer, which has no limit of its own."""
    for text in TEXTS.values():
        assert texts.call("texts.fail", json.dumps({"text": text}).encode()).error.message == text


@pytest.mark.parametrize(("sent", "text"), [
    ("ends: ", "ends: "),  # as it is, which HTTP/2 forbids and gRPC's servers do
    (" begins", " begins"),
    ("a%00b", "a\N{REPLACEMENT CHARACTER}b"),
    ("%FF%C3", "\N{REPLACEMENT CHARACTER}" * 2),
    ("%4", "%4"),
    ("20000", "x" * (TEXT_MAX - 3) + "…"),
    ("60000", "x" * (TEXT_MAX - 3) + "…"),  # past the headers that a Runner takes
])
def test_texts_as_other_servers_send_them(texts, sent, text):
    assert refusal_in_json(texts, "gomod.echo", f"refuse {sent};") == (400, "invalid_argument", text)


def test_headers_with_blanks_around_them_arrive_without(texts):
    """A value of metadata that ends in a blank is no reason to drop it."""
    client = grpc_go.open_client(texts.target)
    message = grpc_go.field(2, grpc_go.field(2, b"headers") + grpc_go.field(3, b"child")) + grpc_go.field(3, b"{}")
    headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"),
               (b":path", b"/xyz.block.ftl.v1.VerbService/Call"), (b"content-type", b"application/grpc"),
               (b"x-note", b" with blanks\t ")]
    client.send(grpc_go.frame(grpc_go.HEADERS, grpc_go.END_HEADERS, 1, b"".join(grpc_go.literal(*one) for one in headers)),
                grpc_go.frame(grpc_go.DATA, grpc_go.END_STREAM, 1, grpc_go.envelope(message)))
    answer = b"".join(payload for kind, flags, _, payload in until_end(client) if kind == grpc_go.DATA)
    client.close()
    assert ["x-note", "with blanks"] in json.loads(answer[answer.index(b"[["):])


def until_end(client):
    for frame in client.received():
        yield frame
        if frame[2] == 1 and frame[1] & grpc_go.END_STREAM and frame[0] in (grpc_go.DATA, grpc_go.HEADERS):
            return
