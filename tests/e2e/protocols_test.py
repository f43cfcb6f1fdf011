# SPDX-License-Identifier: Apache-2.0
"""Responses of the port to clients without an SDK of FTL: reflection, health, web pages, gRPC-Web, JSON."""

import base64
import http.client
import json
import re
import shutil
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import grpc
import pytest
from fake_backplane import ftl
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from harness import FTL, LONG, Backplane, module

PACKAGE = "xyz.block.ftl.v1"
PING = f"/{PACKAGE}.VerbService/Ping"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


@pytest.fixture(scope="module")
def backplane():
    """One Backplane for all tests of this file, as their requests change no state."""
    folder = Path(tempfile.mkdtemp(prefix="ftl-"))
    backplane = Backplane(folder, "--warm", "0").start()
    yield backplane
    backplane.clean_up()
    shutil.rmtree(folder)


# --- reflection

VERSIONS = pytest.mark.parametrize("version", ["v1", "v1alpha"])


def reflect(backplane, version, *requests):
    """The messages of both versions are the same on the wire."""
    method = backplane.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = [reflection_pb2.ServerReflectionRequest(**request) for request in requests]
    answers = list(method(iter(asked), timeout=LONG))
    assert [answer.original_request for answer in answers] == asked
    return answers


def files_of(answer):
    return [descriptor_pb2.FileDescriptorProto.FromString(one) for one in answer.file_descriptor_response.file_descriptor_proto]


@VERSIONS
def test_reflection_lists_the_services(backplane, version):
    [answer] = reflect(backplane, version, {"list_services": "*"})
    services = {service.name for service in answer.list_services_response.service}
    assert services >= {f"{PACKAGE}.VerbService", f"{PACKAGE}.BackplaneService", "grpc.health.v1.Health"}
    assert services >= {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


@VERSIONS
@pytest.mark.parametrize("symbol", ["VerbService", "VerbService.Call", "CallRequest", "CallRequest.verb", "DeploymentState"])
def test_reflection_finds_the_file_of_a_symbol(backplane, version, symbol):
    [answer] = reflect(backplane, version, {"file_containing_symbol": f"{PACKAGE}.{symbol}"})
    files = files_of(answer)
    assert files[0].name == "xyz/block/ftl/v1/ftl.proto"
    known = {file.name for file in files}
    assert all(set(file.dependency) <= known for file in files)


@VERSIONS
def test_reflection_finds_a_file_by_name(backplane, version):
    [answer] = reflect(backplane, version, {"file_by_filename": "xyz/block/ftl/v1/schema/schema.proto"})
    assert files_of(answer)[0].package == f"{PACKAGE}.schema"


@VERSIONS
def test_reflection_answers_not_found_and_continues(backplane, version):
    answers = reflect(
        backplane,
        version,
        {"file_containing_symbol": "no.such.Symbol"},
        {"file_by_filename": "no/such.proto"},
        {"file_containing_extension": {"containing_type": f"{PACKAGE}.CallRequest", "extension_number": 1}},
        {"all_extension_numbers_of_type": f"{PACKAGE}.CallRequest"},
        {"all_extension_numbers_of_type": "no.such.Type"},
        {},
        {"list_services": ""},
    )
    codes = [answer.error_response.error_code for answer in answers[:-1]]
    not_found, invalid = grpc.StatusCode.NOT_FOUND.value[0], grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "no.such.Symbol" in answers[0].error_response.error_message
    assert codes == [not_found, not_found, not_found, not_found, not_found, invalid]
    assert all(answer.error_response.error_message for answer in answers[:-1])
    assert answers[-1].list_services_response.service


def test_a_client_calls_with_nothing_but_reflection(backplane):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(backplane.channel))
    method = pool.FindServiceByName(f"{PACKAGE}.VerbService").FindMethodByName("List")
    assert method.output_type.full_name == f"{PACKAGE}.ListResponse"


# --- health


def check(backplane, service):
    return health_pb2_grpc.HealthStub(backplane.channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=LONG
    ).status


@pytest.mark.parametrize("service", ["", f"{PACKAGE}.VerbService", f"{PACKAGE}.BackplaneService"])
def test_health_knows_the_services(backplane, service):
    assert check(backplane, service) == SERVING


def test_health_says_that_there_is_no_such_service(backplane, refused):
    with refused("NOT_FOUND", "no.such.Service"):
        check(backplane, "no.such.Service")
    watch = health_pb2_grpc.HealthStub(backplane.channel).Watch(
        health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=LONG
    )
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


def test_health_watchers_are_told_that_the_backplane_stops(make_backplane, make_runner):
    """A stopping Backplane accepts no new calls and waits for those in progress."""
    began, go_on = threading.Event(), threading.Event()

    def slow(request, context):
        began.set()
        assert go_on.wait(LONG)
        return request.body

    backplane = make_backplane("--warm", "0").start()
    make_runner(backplane=backplane, verbs={"echo": slow}).register()
    backplane.wait_live(backplane.deploy(module()))
    call = backplane.call_future("echo.echo")
    assert began.wait(LONG)
    stub = health_pb2_grpc.HealthStub(backplane.channel)
    names = ["", f"{PACKAGE}.VerbService", f"{PACKAGE}.BackplaneService"]
    watches = [stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=LONG) for name in names]
    assert [next(watch).status for watch in watches] == [SERVING] * 3
    backplane.process.terminate()
    assert [next(watch).status for watch in watches] == [NOT_SERVING] * 3
    go_on.set()
    assert call.result() == ftl.CallResponse(body=b"{}")


# --- plain HTTP


def ask(backplane, method, path, body=None, **headers):
    """Sends a request over HTTP/1.1. Returns the response after reading its body."""
    connection = http.client.HTTPConnection(backplane.target, timeout=LONG)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.body = response.read()
        return response
    finally:
        connection.close()


def ping(backplane, **headers):
    return ask(backplane, "POST", PING, "{}", Content_Type="application/json", **headers)


def preflight(backplane, origin):
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type,x-mine"}
    return ask(backplane, "OPTIONS", PING, Origin=origin, **asked)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8080", "https://localhost"])
def test_pages_of_this_machine_may_call(backplane, origin):
    response = ping(backplane, Origin=origin)
    assert (response.status, json.loads(response.body)) == (200, {})
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["vary"] == "Origin"
    assert "Grpc-Status" in response.headers["access-control-expose-headers"]


def test_a_preflight_tells_what_a_page_may_send(backplane):
    response = preflight(backplane, "http://localhost:3000")
    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == "content-type,x-mine"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "null"])
def test_pages_of_other_origins_may_not(backplane, origin):
    for response in ping(backplane, Origin=origin), preflight(backplane, origin):
        assert response.status == 403
        assert b"allowed origins" in response.body
        assert "access-control-allow-origin" not in response.headers


def test_a_page_that_rebinds_dns_may_not(backplane):
    assert ping(backplane, Origin="http://evil.example:8892", Host="evil.example:8892").status == 403


def test_pages_that_are_listed_may_call(make_backplane):
    listed = ["https://console.example.org", "https://other.example.org:8443"]
    backplane = make_backplane("--warm", "0", *(f"--allow-origin={one}" for one in listed)).start()
    for origin in listed:
        assert ping(backplane, Origin=origin).headers["access-control-allow-origin"] == origin
        assert preflight(backplane, origin).status == 204
    for origin in "http://console.example.org", "https://other.example.org", "https://evil.example":
        assert ping(backplane, Origin=origin).status == 403


def test_all_pages_may_call_if_all_origins_are_allowed(make_backplane):
    backplane = make_backplane("--warm", "0", "--allow-origin", "*").start()
    assert ping(backplane, Origin="https://anyone.example").status == 200
    assert "any page" in backplane.log()


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://Example.org", "https://example.org:443", "https://", "null", "file://x"])
def test_an_invalid_origin_is_refused(tmp_path, origin):
    command = [FTL, "serve", "--data", tmp_path / "data", "--bind", f"unix:{tmp_path}/socket", "--allow-origin", origin]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)
    assert result.returncode == 2
    assert f'--allow-origin is "{origin}"; it must be' in result.stderr
    assert not (tmp_path / "data").exists()


# --- methods that take exactly one message


STREAMS = ["WatchDeployment", "StreamLogs", "StreamEvents", "PullSchema", "GetDeploymentArtefacts"]


@pytest.mark.parametrize("method", STREAMS)
@pytest.mark.parametrize("count", [0, 2])
def test_a_method_refuses_no_and_two_messages(backplane, refused, method, count):
    call = backplane.channel.stream_stream(f"/{PACKAGE}.BackplaneService/{method}")
    with refused("INVALID_ARGUMENT", "the request has no message" if count == 0 else "takes one message"):
        list(call(iter([b""] * count), timeout=LONG))


@pytest.mark.parametrize("method", ["WatchDeployment", "GetDeploymentArtefacts"])
def test_a_missing_deployment_key_is_refused(backplane, refused, method):
    with refused("INVALID_ARGUMENT", "deployment_key is missing"):
        list(backplane.channel.unary_stream(f"/{PACKAGE}.BackplaneService/{method}")(b"", timeout=LONG))


# --- gRPC-Web


def frames_of(body):
    """[(flags, content)]"""
    found = []
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        found.append((flags, body[5 : 5 + size]))
        body = body[5 + size :]
    return found


def frame(content):
    return struct.pack(">BI", 0, len(content)) + content


def trailers_of(content):
    return {name: value.strip() for name, value in (line.split(":", 1) for line in content.decode().strip().split("\r\n"))}


def decode_pieces(text):
    """Pieces of base 64 follow each other, and each may end in padding."""
    return b"".join(base64.b64decode(piece) for piece in re.findall(rb"[^=]+=*", text))


def call_grpc_web(backplane, method, request, text):
    """Returns the frames of the answer."""
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    body = frame(request.SerializeToString())
    response = ask(
        backplane,
        "POST",
        f"/{PACKAGE}.VerbService/{method}",
        base64.b64encode(body) if text else body,
        Content_Type=kind,
        Accept=kind,
        X_Grpc_Web="1",
        Origin="http://localhost:1",
    )
    assert response.status == 200
    assert response.headers["content-type"].startswith(kind.split("+")[0])
    return frames_of(decode_pieces(response.body) if text else response.body)


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_grpc_web(backplane, text):
    (first, message), (last, trailers) = call_grpc_web(backplane, "List", ftl.ListRequest(), text)
    assert (first, last) == (0, 0x80)
    assert ftl.ListResponse.FromString(message) == ftl.ListResponse()
    assert trailers_of(trailers)["grpc-status"] == "0"


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_grpc_web_carries_errors(backplane, text):
    request = ftl.CallRequest(verb={"module": "nobody", "name": "here"})
    [(flags, trailers)] = call_grpc_web(backplane, "Call", request, text)
    assert flags == 0x80
    assert trailers_of(trailers)["grpc-status"] == str(grpc.StatusCode.NOT_FOUND.value[0])
    assert "nobody" in trailers_of(trailers)["grpc-message"]
