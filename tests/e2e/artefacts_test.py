# SPDX-License-Identifier: Apache-2.0
"""Uploads and downloads of artefacts take constant memory, and each content is verified by its digest."""

import hashlib
import os
import subprocess
import threading
from pathlib import Path

import grpc
import pytest
from fake_backplane import ftl
from harness import FTL, LONG, SANITIZED, artefact, digest_of, memory_peak, module, wait_for

MAIN = b"#!/bin/sh\nexit 0\n"
MEMORY_MAX = 64 << 20
GIGABYTE = 1 << 30


def missing(backplane, *digests):
    return list(backplane.rpc.GetArtefactDiffs(ftl.GetArtefactDiffsRequest(client_digests=digests)).missing_digests)


def file_of(backplane, digest):
    (path,) = [path for path in (backplane.data / "artefacts").rglob(digest) if path.is_file()]
    return path


@pytest.mark.parametrize("size", [0, 1, 4095, 65536, 3_000_001])
@pytest.mark.parametrize("piece", [1, 1 << 20], ids=["bytes", "pieces"])
def test_sizes(backplane, size, piece):
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    if size / piece > 10000:
        piece = 77_777
    backplane.upload(content, piece)
    assert missing(backplane, digest_of(content)) == []


def test_the_unary_form_of_an_upload(backplane):
    response = backplane.channel.unary_unary(
        "/xyz.block.ftl.v1.BackplaneService/UploadArtefact",
        request_serializer=ftl.UploadArtefactRequest.SerializeToString,
        response_deserializer=ftl.UploadArtefactResponse.FromString,
    )(ftl.UploadArtefactRequest(content=b"all at once"), timeout=LONG)
    assert response.digest == hashlib.sha256(b"all at once").digest()


def test_compressed_messages(backplane):
    """A compressed message is buffered completely; here it is larger than the buffer of an upload."""
    content = bytes(range(251)) * 40_000
    pieces = [ftl.UploadArtefactRequest(content=one) for one in (content, b"", content)]
    response = backplane.rpc.UploadArtefact(iter(pieces), timeout=LONG, compression=grpc.Compression.Gzip)
    assert response.digest.hex() == digest_of(content + content)


def test_empty_messages_add_nothing(backplane):
    pieces = [b"", b"a", b"", b"b", b""]
    response = backplane.rpc.UploadArtefact(iter([ftl.UploadArtefactRequest(content=one) for one in pieces]))
    assert response.digest.hex() == digest_of(b"ab")


def test_many_at_once(backplane):
    contents = [bytes([number]) * 700_000 for number in range(16)]
    threads = [threading.Thread(target=backplane.upload, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert missing(backplane, *map(digest_of, contents)) == []


def test_a_large_content_is_hashed_on_a_thread_of_its_own(backplane):
    over = threading.Event()
    content = b"x" * (8 << 20)

    def pieces():
        for at in range(0, len(content), 1 << 20):
            yield ftl.UploadArtefactRequest(content=content[at : at + (1 << 20)])
        over.wait(LONG)

    def hashers():
        threads = Path(f"/proc/{backplane.process.pid}/task").glob("*/comm")
        return [thread for thread in threads if thread.read_text() == "hasher\n"]

    call = backplane.rpc.UploadArtefact.future(pieces(), timeout=LONG)
    wait_for(hashers, "a thread that hashes")
    over.set()
    assert call.result().digest.hex() == digest_of(content)


def test_a_cancelled_upload_leaves_nothing(backplane):
    begun = threading.Event()

    def pieces():
        yield ftl.UploadArtefactRequest(content=b"x" * 2_000_000)
        begun.set()
        threading.Event().wait(0.3)
        yield ftl.UploadArtefactRequest(content=b"y")
        threading.Event().wait(LONG)

    def files():
        return [
            path for path in (backplane.data / "artefacts").rglob("*") if path.is_file() and path.stat().st_size > 100
        ]

    call = backplane.rpc.UploadArtefact.future(pieces())
    begun.wait(LONG)
    wait_for(files, "the upload to be written")
    call.cancel()
    wait_for(lambda: not files(), "the unfinished upload to be removed")


def test_an_artefact_over_the_limit_is_refused(make_backplane, refused):
    backplane = make_backplane("--max-artefact", "1MiB").start()
    backplane.upload(b"x" * (1 << 20))
    with refused("RESOURCE_EXHAUSTED", "max-artefact", "1048576"):
        backplane.upload(b"x" * ((1 << 20) + 1))
    with refused("RESOURCE_EXHAUSTED", "max-artefact"):
        backplane.upload(b"x" * (5 << 20), piece=5 << 20)


# --- damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_content_that_changed_on_disk_is_quarantined_and_uploaded_again(backplane, runner, refused, size):
    content = b"q" * size
    key = backplane.deploy(module(), {"main": MAIN, "data": content})
    backplane.wait_live(key)
    path = file_of(backplane, digest_of(content))
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"!")
    with refused("DATA_LOSS", digest_of(content)[:8]):
        backplane.artefacts_of(key)
    assert missing(backplane, digest_of(content), digest_of(MAIN)) == [digest_of(content)]
    with refused("FAILED_PRECONDITION", "data", digest_of(content)):
        backplane.create(module(), [artefact("main", MAIN, True), artefact("data", content)])
    assert list((backplane.data / "artefacts").rglob("*quarantine*"))
    backplane.upload(content)
    assert missing(backplane, digest_of(content)) == []
    assert backplane.artefacts_of(key)["data"] == content


def test_the_command_line_knows_the_limit_of_a_file(make_backplane, tmp_path):
    backplane = make_backplane("--max-artefact", "1MiB").start()
    folder = tmp_path / "big"
    folder.mkdir()
    (folder / "ftl.toml").write_text('module = "big"\nlanguage = "sh"\ndeploy = ["main", "data"]\n')
    (folder / "big.ftl").write_text("module big {\n  export verb ask(Unit) Unit\n}\n")
    (folder / "main").write_text("#!/bin/sh\n")
    (folder / "main").chmod(0o755)
    (folder / "data").write_bytes(b"x" * (1 << 20))
    environment = {"PATH": os.environ["PATH"], "FTL_ENDPOINT": backplane.endpoint}
    deploy = [FTL, "deploy", "--dry-run", str(folder)]
    assert subprocess.run(deploy, env=environment, capture_output=True).returncode == 0
    (folder / "data").write_bytes(b"x" * ((1 << 20) + 1))
    refused = subprocess.run(deploy, env=environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "big/data has 1048577 bytes; the Backplane takes files of at most 1048576" in refused.stderr



def test_content_that_is_missing_on_disk_is_named(backplane, runner, refused):
    key = backplane.deploy(module(), {"main": MAIN})
    backplane.wait_live(key)
    file_of(backplane, digest_of(MAIN)).unlink()
    with refused("NOT_FOUND", digest_of(MAIN)):
        backplane.artefacts_of(key)
    backplane.upload(MAIN)
    assert backplane.artefacts_of(key) == {"main": MAIN}


def test_content_that_was_truncated_on_disk_is_noticed(backplane, runner, refused):
    content = b"z" * 100_000
    key = backplane.deploy(module(), {"main": MAIN, "data": content})
    backplane.wait_live(key)
    path = file_of(backplane, digest_of(content))
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.truncate(50_000)
    with refused("DATA_LOSS"):
        backplane.artefacts_of(key)
    assert missing(backplane, digest_of(content)) == [digest_of(content)]


# --- size -------------------------------------------------------------------------------------------------------


def zeros(size, piece=4 << 20):
    message = ftl.UploadArtefactRequest(content=bytes(piece))
    return (message for _ in range(size // piece))


def digest_of_zeros(size):
    hasher = hashlib.sha256()
    for _ in range(size >> 20):
        hasher.update(bytes(1 << 20))
    return hasher.hexdigest()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer uses memory of its own")
def test_a_gigabyte_goes_up_and_down_in_64_megabytes(backplane, runner):
    digest = digest_of_zeros(GIGABYTE)
    assert backplane.rpc.UploadArtefact(zeros(GIGABYTE), timeout=120).digest.hex() == digest
    assert memory_peak(backplane.process.pid) < MEMORY_MAX
    runner.brings_up = False
    backplane.upload(MAIN)
    large = ftl.DeploymentArtefact(digest=digest, path="large")
    key = backplane.create(module(), [artefact("main", MAIN, True), large]).deployment_key
    request = ftl.GetDeploymentArtefactsRequest(deployment_key=key)
    size = 0
    for response in backplane.rpc.GetDeploymentArtefacts(request, timeout=120):
        if response.artefact.path == "large":
            assert response.chunk.count(0) == len(response.chunk) <= 1 << 20
            size += len(response.chunk)
    assert size == GIGABYTE
    assert memory_peak(backplane.process.pid) < MEMORY_MAX


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory of its own")
def test_a_message_of_any_size_is_passed_on_in_pieces(backplane):
    """The client of this test holds several copies of the message; the Backplane holds none."""
    size = GIGABYTE // 4
    message = ftl.UploadArtefactRequest(content=bytes(size)).SerializeToString()
    upload = backplane.channel.stream_unary(
        "/xyz.block.ftl.v1.BackplaneService/UploadArtefact", response_deserializer=ftl.UploadArtefactResponse.FromString
    )
    response = upload(iter([message]), timeout=120)
    del message
    assert response.digest.hex() == digest_of_zeros(size)
    assert memory_peak(backplane.process.pid) < MEMORY_MAX


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has memory of its own")
def test_a_reader_that_stalls_costs_no_memory(backplane, runner):
    runner.brings_up = False
    size = 64 << 20
    backplane.rpc.UploadArtefact(zeros(size), timeout=60)
    backplane.upload(MAIN)
    files = [artefact("main", MAIN, True), ftl.DeploymentArtefact(digest=digest_of_zeros(size), path="large")]
    key = backplane.create(module(), files).deployment_key
    before = memory_peak(backplane.process.pid)
    request = ftl.GetDeploymentArtefactsRequest(deployment_key=key)
    readers = [backplane.rpc.GetDeploymentArtefacts(request, timeout=60) for _ in range(8)]
    for reader in readers:
        next(reader)
    # The Backplane serves other requests while all readers stall.
    assert missing(backplane, digest_of(MAIN)) == []
    assert memory_peak(backplane.process.pid) < before + (32 << 20)
    for reader in readers:
        reader.cancel()
