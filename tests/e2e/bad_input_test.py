# SPDX-License-Identifier: Apache-2.0
"""Invalid requests and a broken environment: the Backplane says what is wrong and keeps serving."""

import os
import random
import resource
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
from pathlib import Path

import grpc
import pytest
from fake_backplane import ftl, schema
from harness import FTL, LONG, Backplane, artefact, digest_of, memory_peak, module, mount_disk, unmount_disk

MAIN = b"#!/bin/sh\nexit 0\n"


def names_of(service):
    return [f"/{service.full_name}/{method.name}" for method in service.methods]


SERVICES = ftl.DESCRIPTOR.services_by_name
METHODS = names_of(SERVICES["BackplaneService"]) + names_of(SERVICES["VerbService"])
METHODS.append("/xyz.block.ftl.v1.BackplaneService/NoSuchMethod")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One Backplane for all tests whose requests are refused and leave its state unchanged."""
    with tempfile.TemporaryDirectory(prefix="ftl-") as folder:
        backplane = Backplane(Path(folder), "--warm", "0")
        backplane.start()
        backplane.upload(MAIN)
        yield backplane
        backplane.clean_up()


def raw(backplane, method, timeout=LONG):
    """Calls any method with a list of byte strings as its messages. Returns the responses."""
    return lambda messages: list(backplane.channel.stream_stream(method)(iter(messages), timeout=timeout))


def assert_serves(backplane):
    assert backplane.rpc.Ping(ftl.PingRequest(), timeout=LONG).not_ready == ""
    assert backplane.verbs.Ping(ftl.PingRequest(), timeout=LONG).not_ready == ""
    assert backplane.process.poll() is None


# --- creating a deployment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", ["", "xyz", "0" * 63, "0" * 65, "g" * 64, "A" * 64, "é" * 32, "\0" * 64])
def test_a_malformed_digest(shared, refused, digest):
    with refused("INVALID_ARGUMENT"):
        shared.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=[digest_of(MAIN), digest]))
    with refused("INVALID_ARGUMENT", "digest"):
        shared.create(module(), [ftl.DeploymentArtefact(digest=digest, path="main", executable=True)])


def test_a_digest_that_was_not_uploaded(shared, refused):
    with refused("FAILED_PRECONDITION", "lib/x", digest_of(b"never"), "uploaded"):
        shared.create(module(), [artefact("main", MAIN, True), artefact("lib/x", b"never")])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "/",
        "a\\b",
        "a\nb",
        "a\x1bb",
        "x" * 1025,
    ]
    + ["d/" * 512 + "x", "x" * 256],
)
def test_a_path_that_is_invalid_or_leaves_the_folder(shared, refused, path):
    with refused("INVALID_ARGUMENT"):
        shared.create(module(), [artefact("main", MAIN, True), artefact(path, MAIN)])


def test_a_path_that_repeats(shared, refused):
    with refused("INVALID_ARGUMENT", "lib", "twice"):
        shared.create(module(), [artefact("main", MAIN, True), artefact("lib", MAIN), artefact("lib", MAIN)])


@pytest.mark.parametrize("between", [[], ["lib-", "lib.x"]])
def test_a_path_that_is_a_file_and_a_folder(shared, refused, between):
    artefacts = [artefact(path, MAIN) for path in ["lib", "lib/x", *between]]
    with refused("INVALID_ARGUMENT", "lib", "lib/x"):
        shared.create(module(), [artefact("main", MAIN, True), *artefacts])


def test_an_entry_that_is_missing_or_cannot_run(shared, refused):
    with refused("INVALID_ARGUMENT", "entry", "main"):
        shared.create(module(), [artefact("other", MAIN, True)])
    with refused("INVALID_ARGUMENT", "main", "executable"):
        shared.create(module(), [artefact("main", MAIN, False)])
    for entry in ("../main", "/bin/sh", "bin/none"):
        with refused("INVALID_ARGUMENT", "entry"):
            shared.create(module(entry=entry), [artefact("main", MAIN, True)])


def test_too_many_artefacts(shared, refused):
    digests = [digest_of(MAIN)] * 10_001
    with refused("RESOURCE_EXHAUSTED", "10001", "10000"):
        shared.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests))
    with refused("RESOURCE_EXHAUSTED", "10001", "10000"):
        shared.create(module(), [artefact(f"f{number}", MAIN) for number in range(10_001)])


def test_too_many_replicas(shared, refused):
    with refused("INVALID_ARGUMENT", "replicas", "101"):
        shared.create(module(), replicas=101)


@pytest.mark.parametrize(
    "method, request_type",
    [
        ("GetDeployment", ftl.GetDeploymentRequest),
        ("GetDeploymentArtefacts", ftl.GetDeploymentArtefactsRequest),
        ("WatchDeployment", ftl.WatchDeploymentRequest),
    ],
)
@pytest.mark.parametrize("key", ["", "dpl-echo-0123456789abc", "x" * 3000, "'; DROP TABLE deployments; --"])
def test_an_unknown_deployment(shared, refused, method, request_type, key):
    with refused(*("NOT_FOUND", key[:40]) if key else ("INVALID_ARGUMENT", "deployment_key is missing")):
        answer = getattr(shared.rpc, method)(request_type(deployment_key=key), timeout=LONG)
        list(answer)


def test_a_report_of_an_unknown_runner_or_deployment(backplane, runner, refused):
    with refused("NOT_FOUND", "rnr-none"):
        backplane.rpc.Deployed(ftl.DeployedRequest(deployment_key="dpl-x", runner_key="rnr-none"))
    with refused("FAILED_PRECONDITION", runner.key, "dpl-x"):
        backplane.rpc.Deployed(ftl.DeployedRequest(deployment_key="dpl-x", runner_key=runner.key))
    assert [one.key for one in backplane.runners("idle")] == [runner.key]


def verb_of(name="v", request="Text", response="Text"):
    refs = {
        "request": schema.DataRef(name=request, module="echo"),
        "response": schema.DataRef(name=response, module="echo"),
    }
    return schema.Decl(verb=schema.Verb(name=name, **refs))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.Clear(),
        lambda one: one.ClearField("name"),
        lambda one: setattr(one, "name", "no name"),
        lambda one: setattr(one, "name", "../x"),
        lambda one: setattr(one, "name", "x" * 300),
        lambda one: one.ClearField("runtime"),
        lambda one: setattr(one.runtime, "language", "c d"),
        lambda one: setattr(one.runtime, "language", "x" * 64),
        lambda one: setattr(one.runtime, "language", "../../x"),
        lambda one: setattr(one.runtime, "language", "--help"),
        lambda one: one.decls.add(),
        lambda one: one.decls.append(verb_of(name="")),
        lambda one: one.decls.append(verb_of(name="echo")),
        lambda one: one.decls.append(verb_of(request="Nothing")),
        lambda one: one.decls.append(schema.Decl(verb=schema.Verb(name="bare"))),
        lambda one: one.decls.add().data.fields.add(),
    ],
    ids=(
        "empty noname space dots long noruntime language longlanguage elsewhere option "
        "nodecl noverb twice nothing bare nofield"
    ).split(),
)
def test_an_invalid_schema(shared, refused, spoil):
    spoiled = module()
    spoil(spoiled)
    with refused("INVALID_ARGUMENT"):
        shared.create(spoiled)
    assert list(shared.status().deployments) == []


def test_a_missing_schema(shared, refused):
    with refused("INVALID_ARGUMENT", "schema is missing"):
        shared.rpc.CreateDeployment(ftl.CreateDeploymentRequest())


# --- malformed messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_messages_of_random_bytes(shared, method):
    """The bytes come from a seed, so a failure can be reproduced."""
    seed = 20_260_101 + METHODS.index(method)
    chance = random.Random(seed)
    for round_ in range(30):
        size = chance.choice([0, 1, 2, 5, 30, 300, 5000, 70_000])
        messages = [chance.randbytes(size) for _ in range(chance.choice([0, 1, 1, 1, 3]))]
        try:
            # Some methods accept any bytes and keep the stream open, so that the deadline ends the call.
            raw(shared, method, timeout=0.3)(messages)
        except grpc.RpcError as error:
            allowed = (
                "INVALID_ARGUMENT NOT_FOUND RESOURCE_EXHAUSTED FAILED_PRECONDITION UNIMPLEMENTED DEADLINE_EXCEEDED"
            )
            assert error.code().name in allowed.split(), (
                f"seed {seed}, round {round_}: {error.code()} {error.details()}"
            )
    assert_serves(shared)


def mutated(chance, message):
    """A valid message with one to four random changes."""
    spoiled = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        kind, at = chance.randrange(4), chance.randrange(len(spoiled) + 1)
        if kind == 0:
            del spoiled[at:]
        elif kind == 1 and spoiled:
            spoiled[at % len(spoiled)] = chance.randrange(256)
        elif kind == 2:
            spoiled[at:at] = chance.randbytes(chance.randint(1, 9))
        else:
            spoiled[at:at] = spoiled[: chance.randrange(len(spoiled) + 1)]
    return bytes(spoiled[:100_000])


SAMPLES = {
    "GetArtefactDiffs": ftl.GetArtefactDiffsRequest(client_digests=[digest_of(MAIN), digest_of(b"x")]),
    "UploadArtefact": ftl.UploadArtefactRequest(content=b"content" * 40),
    "CreateDeployment": ftl.CreateDeploymentRequest(
        schema=module(name="fuzz", comments=["c"], calls=[schema.VerbRef(module="a", name="b")]),
        artefacts=[artefact("main", MAIN, True), artefact("lib/x", MAIN)],
    ),
    "GetDeployment": ftl.GetDeploymentRequest(deployment_key="dpl-echo-0123456789abc"),
    "GetDeploymentArtefacts": ftl.GetDeploymentArtefactsRequest(
        deployment_key="dpl", have_artefacts=[artefact("a", b"")]
    ),
    "Deployed": ftl.DeployedRequest(
        deployment_key="dpl", runner_key="rnr", error="e", last_lines=["a", "b"], fetch_us=9
    ),
    "WatchDeployment": ftl.WatchDeploymentRequest(deployment_key="dpl-echo-0123456789abc"),
    "KillModule": ftl.KillModuleRequest(module="fuzz"),
    "ScaleModule": ftl.ScaleModuleRequest(module="fuzz", replicas=3),
    "RollbackModule": ftl.RollbackModuleRequest(module="fuzz", deployment_key="dpl-fuzz-0123456789abc"),
    "ListDeployments": ftl.ListDeploymentsRequest(module="fuzz", limit=5),
    "GetSchema": ftl.GetSchemaRequest(module="fuzz"),
    "PublishLogs": ftl.PublishLogsRequest(
        entries=[ftl.LogEntry(time_ms=1, level="info", message="m", attributes="{}")]
    ),
    "StreamLogs": ftl.StreamLogsRequest(module="fuzz", tail=10),
    # The module is not deployed.
    "Call": ftl.CallRequest(
        metadata=ftl.Metadata(values=[ftl.Metadata.Pair(key="k", value="v")]),
        verb=schema.VerbRef(module="nobody", name="echo"),
        body=b'{"text":"x"}' * 20,
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_mutated_messages(shared, name):
    service = "VerbService" if name == "Call" else "BackplaneService"
    seed = 20_260_202 + list(SAMPLES).index(name)
    chance = random.Random(seed)
    message = SAMPLES[name].SerializeToString()
    futures = []
    for _ in range(150):
        call = shared.channel.stream_unary(f"/xyz.block.ftl.v1.{service}/{name}")
        futures.append(call.future(iter([mutated(chance, message)]), timeout=1))
        if len(futures) == 30:
            for future in futures:
                future.exception(timeout=LONG)
                allowed = "UNKNOWN INTERNAL UNAVAILABLE".split()
                assert future.code().name not in allowed or "cardinality" in future.details(), future.details()
            futures = []
    assert_serves(shared)


def h2_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def h2_request(path, data, end=True, extra=()):
    """The bytes of a request in HTTP/2, built by hand so that its content may be invalid."""
    pairs = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"x")]
    pairs += [(b"content-type", b"application/grpc"), (b"te", b"trailers"), *extra]
    block = b"".join(literal(name, value) for name, value in pairs)
    pieces = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        h2_frame(4, 0, 0, b""),
        h2_frame(1, 4, 1, block),
        *[h2_frame(0, 0, 1, data[at : at + 16384]) for at in range(0, len(data), 16384)],
        h2_frame(0, 1, 1, b"") if end else b"",
    ]
    return b"".join(pieces)


def send_bytes(backplane, data, wait=1.0, half_close=False):
    """Sends bytes on a new connection. Returns what comes until the server closes it or is silent for `wait` s."""
    host, port = backplane.target.split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except OSError:
            pass
    return received


def grpc_message(message, size=None, flag=0):
    return bytes([flag]) + struct.pack(">I", len(message) if size is None else size) + message


CALL = "/xyz.block.ftl.v1.VerbService/Call"


@pytest.mark.parametrize("method", METHODS)
def test_a_message_that_is_cut_short(shared, method):
    # The prefix announces more bytes than follow before the stream ends.
    send_bytes(shared, h2_request(method, grpc_message(b"\x0a\x03abc", size=5000)), wait=0.2)
    # The stream ends within the prefix.
    send_bytes(shared, h2_request(method, b"\0\0\0"), wait=0.2)
    # The connection closes within the message.
    send_bytes(shared, h2_request(method, grpc_message(b"\x0a\x03abc", size=5000), end=False), wait=0.05)
    assert_serves(shared)


@pytest.mark.parametrize("method", METHODS)
def test_a_message_whose_prefix_announces_4_gib(shared, method):
    before = memory_peak(shared.process.pid)
    send_bytes(shared, h2_request(method, grpc_message(b"abc", size=0xFFFFFFFF), end=False), wait=0.1)
    send_bytes(shared, h2_request(method, grpc_message(b"abc", flag=1)), wait=0.1)
    assert_serves(shared)
    assert memory_peak(shared.process.pid) < before + (16 << 20)


@pytest.mark.parametrize("method", [name for name in METHODS if not name.endswith(("UploadArtefact", "NoSuchMethod"))])
def test_a_message_that_is_oversized(shared, method):
    """Each method has a limit; a message above the limit is not buffered."""
    before = memory_peak(shared.process.pid)
    with pytest.raises(grpc.RpcError) as caught:
        raw(shared, method)([b"\xfa\x7d" + b"\xff\xff\xff\x1f" + bytes(65 << 20)])
    assert caught.value.code().name in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"), caught.value.details()
    assert_serves(shared)
    assert memory_peak(shared.process.pid) < before + (40 << 20)


def gzipped(backplane, *pieces):
    requests = (ftl.UploadArtefactRequest(content=piece) for piece in pieces)
    return backplane.rpc.UploadArtefact(requests, compression=grpc.Compression.Gzip, timeout=LONG).digest


def test_a_message_that_is_too_large_once_decompressed(make_backplane, refused):
    """An upload takes messages of any size, but a compressed one may hold at most max-message bytes."""
    backplane = make_backplane("--warm", "0").start()
    with refused("RESOURCE_EXHAUSTED", "max-message"):
        gzipped(backplane, bytes(80 << 20))
    most = bytes((64 << 20) - 8)
    assert gzipped(backplane, bytes(200_000), most).hex() == digest_of(bytes(200_000) + most)
    assert_serves(backplane)
    assert memory_peak(backplane.process.pid) < 300 << 20


def test_a_message_over_max_held(make_backplane, refused):
    backplane = make_backplane("--warm", "0", "--max-held", "1MiB").start()
    digests = ["%064x" % number for number in range(50_000)]
    with refused("RESOURCE_EXHAUSTED", "max-held is 1048576"):
        backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests))
    few = digests[:1000]
    assert list(backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=few)).missing_digests) == few
    with refused("RESOURCE_EXHAUSTED", "max-held is 1048576"):
        gzipped(backplane, bytes(4 << 20))
    assert gzipped(backplane, bytes(200_000)).hex() == digest_of(bytes(200_000))


@pytest.mark.parametrize("seed", range(20))
def test_connections_of_random_bytes(shared, seed):
    chance = random.Random(seed)
    send_bytes(shared, chance.randbytes(chance.choice([1, 9, 100, 5000])), wait=0.05)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    send_bytes(shared, preface + chance.randbytes(chance.choice([9, 100, 5000])), wait=0.05)
    good = bytearray(h2_request(CALL, grpc_message(SAMPLES["Call"].SerializeToString())))
    for _ in range(3):
        good[chance.randrange(24, len(good))] = chance.randrange(256)
    send_bytes(shared, bytes(good), wait=0.05)
    assert_serves(shared)


def test_too_many_headers(shared):
    extra = [(b"x-%d" % number, b"v" * 100) for number in range(400)]
    send_bytes(shared, h2_request(CALL, b"", extra=extra), wait=0.2)
    with pytest.raises(grpc.RpcError) as caught:
        shared.call("echo.echo", metadata=[(f"x-{number}", "v" * 1000) for number in range(64)])
    assert caught.value.code().name in ("RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "UNAVAILABLE")
    assert_serves(shared)


@pytest.mark.parametrize("timeout", [b"", b"S", b"12", b"-1S", b"99999999999S", b"1Y", b"0n", b"\xff"])
def test_malformed_timeouts(shared, timeout):
    message = grpc_message(SAMPLES["Call"].SerializeToString())
    send_bytes(shared, h2_request(CALL, message, extra=[(b"grpc-timeout", timeout)]), wait=0.1)
    assert_serves(shared)


def test_many_unfinished_streams(shared):
    """Each unfinished stream takes little memory and delays no other."""
    begun = grpc_message(SAMPLES["Call"].SerializeToString(), size=1 << 20)
    data = h2_request(CALL, begun, end=False)
    connections = []
    try:
        for _ in range(200):
            host, port = shared.target.split(":")
            connections.append(socket.create_connection((host, int(port))))
            connections[-1].sendall(data)
        assert_serves(shared)
    finally:
        for connection in connections:
            connection.close()
    assert_serves(shared)


# --- the place of the verb in the request ------------------------------------------------------------------------


def body_first(size):
    body = ftl.CallRequest(body=b"b" * size).SerializeToString()
    return body + ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo")).SerializeToString()


@pytest.mark.parametrize("size", [3, 300 << 10, 1000 << 10])
def test_a_body_before_the_verb(backplane, runner, size):
    backplane.wait_live(backplane.deploy(module()))
    (answer,) = raw(backplane, CALL)([body_first(size)])
    assert ftl.CallResponse.FromString(answer).body == b"b" * size


@pytest.mark.parametrize("size", [(1 << 20) + 1, 8 << 20])
def test_a_body_before_the_verb_that_is_too_large(backplane, runner, refused, size):
    backplane.wait_live(backplane.deploy(module()))
    with refused("RESOURCE_EXHAUSTED", "max-verb-offset", "1048576"):
        raw(backplane, CALL)([body_first(size)])
    assert runner.calls.empty()
    assert_serves(backplane)


def test_unknown_fields_before_the_verb(backplane, runner):
    backplane.wait_live(backplane.deploy(module()))
    unknown = b"\xf8\x07\x01" + b"\xfa\x07\x03abc" + b"\xfd\x07\0\0\0\0" + b"\xf9\x07" + bytes(8)
    request = ftl.CallRequest(verb=schema.VerbRef(module="echo", name="echo"), body=b"{}")
    (answer,) = raw(backplane, CALL)([unknown + request.SerializeToString()])
    assert ftl.CallResponse.FromString(answer).body == b"{}"


def test_protobuf_that_is_nested_deeply(shared):
    for depth in (50, 99, 101, 1000, 20_000):
        kind = b"\x0a\0"
        for _ in range(depth):
            inner = b"\x32" + varint(len(kind) + 1 + len(varint(len(kind)))) + b"\x0a" + varint(len(kind)) + kind
            kind = inner
        field = b"\x12\x01f" + b"\x22" + varint(len(kind)) + kind
        data = b"\x12\x04Deep" + b"\x1a" + varint(len(field)) + field
        decl = b"\x0a" + varint(len(data)) + data
        deep = b"\x12\x04deep" + b"\x22" + varint(len(decl)) + decl
        message = b"\x0a" + varint(len(deep)) + deep
        with pytest.raises(grpc.RpcError) as caught:
            raw(shared, "/xyz.block.ftl.v1.BackplaneService/CreateDeployment")([message])
        assert caught.value.code().name in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"), depth
    assert_serves(shared)


def varint(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def test_a_group_that_never_ends(shared):
    for method in METHODS:
        try:
            raw(shared, method, timeout=1)([b"\x0b" * 5000])
        except grpc.RpcError:
            pass
    assert_serves(shared)


# --- the environment: ports, sockets, data folder, disk ----------------------------------------------------------


def fails(backplane, *words, **popen):
    """Starts a Backplane that cannot start, and checks that it logs the words. Returns what it logged."""
    before = len(backplane.log())
    process = backplane.spawn(**popen)
    assert process.wait(LONG) == 1
    said = backplane.log()[before:]
    for word in words:
        assert word in said
    return said


def test_a_port_in_use_names_who_holds_it(backplane, make_backplane):
    other = make_backplane()
    port = backplane.target.split(":")[1]
    fails(other, port, f"ftl (pid {backplane.process.pid})", bind=backplane.endpoint)
    assert_serves(backplane)


def test_a_socket_in_use_names_who_holds_it(tmp_path, make_backplane):
    bind = f"unix:{tmp_path}/socket"
    first = make_backplane(bind=bind).start()
    other = make_backplane()
    fails(other, bind, f"ftl (pid {first.process.pid})", bind=bind)
    # A socket that a killed process left is replaced; a file of another type is kept.
    first.kill()
    first.start()
    assert_serves(first)
    (tmp_path / "file").write_text("precious")
    fails(other, f"{tmp_path}/file exists and is not a socket", bind=f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "precious"


def test_two_backplanes_on_one_data_folder(backplane):
    fails(backplane, str(backplane.data), f"process {backplane.process.pid}", bind="http://127.0.0.1:0")
    # The first Backplane still serves; only its port file is gone, as spawn() removes it.
    backplane.port_file.write_text(backplane.endpoint)
    assert_serves(backplane)
    backplane.upload(MAIN)


def test_a_newer_database(backplane):
    backplane.stop()
    (database,) = [path for path in backplane.data.iterdir() if path.suffix == ".db" or "sqlite" in path.name]
    with sqlite3.connect(database) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    fails(backplane, "999", "newer")
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    backplane.start()


def test_a_file_that_is_no_database(backplane):
    backplane.stop()
    (database,) = [path for path in backplane.data.iterdir() if path.suffix == ".db" or "sqlite" in path.name]
    database.write_bytes(b"This is no database at all." * 100)
    fails(backplane, str(database))


def test_a_data_folder_that_is_not_writable(make_backplane):
    backplane = make_backplane()
    backplane.folder.parent.chmod(0o755)
    backplane.data.mkdir(mode=0o555)
    backplane.log_path.touch()
    popen = {}
    if os.getuid() == 0:
        # Root may write everywhere. The build may be in a folder that only root may enter, so the user runs a copy.
        program = shutil.copy(FTL, backplane.folder.parent / "ftl")
        os.chown(backplane.folder, 65534, 65534)
        popen = {"user": 65534, "group": 65534, "extra_groups": [], "executable": program}
    fails(backplane, str(backplane.data), "ermission denied", **popen)


def test_a_data_folder_that_is_a_file(make_backplane):
    backplane = make_backplane()
    backplane.data.write_text("")
    fails(backplane, str(backplane.data))


@pytest.fixture
def small_disk(make_backplane):
    """A Backplane with its data on a file system of 8 MB, or in files of at most 4 MB if it may not mount one."""
    backplane = make_backplane("--warm", "0")
    backplane.data.mkdir()
    mounted = mount_disk(backplane.data, "8m")
    backplane.start()
    if not mounted:
        resource.prlimit(backplane.process.pid, resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
    yield backplane
    backplane.clean_up()
    if mounted:
        unmount_disk(backplane.data)


def test_a_full_disk(small_disk, refused):
    small_disk.upload(MAIN)
    with refused("RESOURCE_EXHAUSTED"):
        small_disk.upload(os.urandom(12 << 20))
    # The content that did not fit was removed, so there is room again.
    content = os.urandom(3 << 20)
    small_disk.upload(content)
    key = small_disk.create(module(), [artefact("main", MAIN, True), artefact("data", content)]).deployment_key
    assert small_disk.artefacts_of(key)["data"] == content
    assert_serves(small_disk)


def test_a_file_at_the_limit_of_its_size(backplane, refused):
    """Under `ulimit -f` the kernel first sends SIGXFSZ, which ends a process that does not ignore it."""
    resource.prlimit(backplane.process.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    with refused("RESOURCE_EXHAUSTED", "File too large"):
        backplane.upload(bytes(2 << 20))
    assert_serves(backplane)


def test_a_disk_that_is_full_to_the_last_byte(small_disk):
    for size in (1 << 20, 64 << 10, 4 << 10, 1 << 10):
        for _ in range(20):
            try:
                small_disk.upload(os.urandom(size))
            except grpc.RpcError as error:
                assert error.code().name == "RESOURCE_EXHAUSTED", error.details()
                break
    created = []
    for number in range(50):
        try:
            created.append(small_disk.create(module(comments=[str(number) * 3000])).deployment_key)
        except grpc.RpcError as error:
            assert error.code().name == "RESOURCE_EXHAUSTED", error.details()
    assert_serves(small_disk)
    for key in created:
        small_disk.rpc.GetDeployment(ftl.GetDeploymentRequest(deployment_key=key))
