# SPDX-License-Identifier: Apache-2.0
"""A Backplane takes the place of another one, while clients call all the time: none of them notices."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import grpc
import pytest
from fake_backplane import ftl, ftl_grpc, schema
from whole import (
    FTL,
    LONG,
    NO_LIMIT,
    PROGRAM,
    deploy_program,
    digest_of,
    is_running,
    pid_that_answers,
    processes_that_name,
    wait_for,
)

MAGIC = b"FTLtake\n"
ASK, REFUSED, OFFER, READY, GO, TAKEN, FAILED = range(1, 8)


@pytest.fixture
def platform(make_backplane, monkeypatch):
    """A Backplane whose Runners are ours."""
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    return make_backplane("--orphan-timeout", "60s", "--drain-timeout", "10s")


class Load:
    """Calls without a pause, from some threads with connections of their own, and keeps what failed."""

    def __init__(self, backplane, names=("echo.echo",), threads=4, channel=None):
        self.calls, self.failed, self.over = [0] * threads, [], threading.Event()
        channel = channel or backplane.new_channel
        self.threads = [
            threading.Thread(target=self.run, args=[number, channel(), names[number % len(names)]])
            for number in range(threads)
        ]

    def run(self, number, channel, name):
        verbs = ftl_grpc.VerbServiceStub(channel)
        module_name, verb = name.split(".")
        request = ftl.CallRequest(verb=schema.VerbRef(module=module_name, name=verb), body=b"{}")
        while not self.over.is_set():
            try:
                verbs.Call(request, timeout=LONG)
                self.calls[number] += 1
            except grpc.RpcError as error:
                self.failed.append(f"{error.code().name}: {error.details()}")
        channel.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def wait_for_more(self):
        """Until each thread has called a few times again."""
        before = list(self.calls)
        wait_for(
            lambda: all(now >= then + 5 for now, then in zip(self.calls, before)) or self.failed, "calls to be answered"
        )

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed[:5]


def take_over(backplane, *options):
    """Starts another process in the place of the one that runs. Returns the old one."""
    old = backplane.process
    backplane.start("--takeover", *options)
    return old


def ends_well(process):
    assert process.wait(LONG) == 0


# --- all goes well ----------------------------------------------------------------------------------------------


def test_no_call_fails(platform):
    platform.start()
    key = deploy_program(platform, replicas=2)
    platform.wait_live(key)
    runners = {one.key for one in platform.runners("alive")}
    pids = {pid_that_answers(platform) for _ in range(30)}
    with Load(platform) as load:
        for _ in range(3):  # one after the other
            ends_well(take_over(platform))
            load.wait_for_more()
    wait_for(lambda: len(platform.runners("alive")) == 2, "both Runners")
    assert {one.key for one in platform.runners("alive")} == runners
    assert all(one.managed for one in platform.runners())
    # One that was slow for a moment is left out for a while.
    wait_for(lambda: {pid_that_answers(platform) for _ in range(30)} == pids, "both programs")
    assert [(one.key, one.state) for one in platform.status().deployments] == [(key, ftl.DEPLOYMENT_STATE_LIVE)]


def test_the_call_in_progress_ends_where_it_is(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    call = platform.call_future("echo.sleep")
    time.sleep(0.2)
    channel, platform.channel = platform.channel, None  # is to live on
    old = take_over(platform)
    assert pid_that_answers(platform) == pid
    assert json.loads(call.result().body) == {"pid": pid}
    channel.close()
    ends_well(old)


def test_what_was_kept_is_there(platform):
    platform.start()
    first = deploy_program(platform)
    platform.wait_live(first)
    second = deploy_program(platform, comments=["2"])
    platform.wait_live(second)
    ends_well(take_over(platform))
    assert platform.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo")).deployment_key == first
    platform.wait_live(first)
    pid_that_answers(platform)


def test_nobody_is_there_to_notice(platform):
    """The old one is over as soon as all of its threads know that it is to go."""
    platform.start()
    platform.disconnect()
    for _ in range(40):
        old, platform.process = platform.process, platform.spawn("--takeover")
        wait_for(platform.port_file.exists, "the port file")
        ends_well(old)


class Upload:
    """An artefact of which the second half comes when it is told to."""

    def __init__(self, backplane):
        self.content, self.go_on = os.urandom(1 << 20), threading.Event()
        self.call = backplane.rpc.UploadArtefact.future(self.pieces(), timeout=LONG)

    def pieces(self):
        half = len(self.content) // 2
        yield ftl.UploadArtefactRequest(content=self.content[:half])
        self.go_on.wait(LONG)
        yield ftl.UploadArtefactRequest(content=self.content[half:])

    def wait_until_it_is_under_way(self, backplane):
        incoming = backplane.data / "artefacts" / "incoming"
        wait_for(lambda: any(file.stat().st_size for file in incoming.iterdir()), "the first half to be written")

    def assert_kept(self, backplane):
        digest = digest_of(self.content)
        assert self.call.result().digest.hex() == digest
        asked = ftl.GetArtefactDiffsRequest(client_digests=[digest])
        assert not backplane.rpc.GetArtefactDiffs(asked, timeout=LONG).missing_digests


def test_an_upload_in_progress_is_waited_for(platform):
    platform.start()
    upload = Upload(platform)
    upload.wait_until_it_is_under_way(platform)
    channel, platform.channel = platform.channel, None  # is to live on
    timer = threading.Timer(1, upload.go_on.set)
    timer.start()
    ends_well(take_over(platform))
    upload.assert_kept(platform)
    channel.close()


def test_an_upload_that_takes_too_long_keeps_the_old_one(platform):
    platform.start()
    upload = Upload(platform)
    upload.wait_until_it_is_under_way(platform)
    peer = Peer(platform)
    peer.send(ASK)
    kind, text = peer.receive()
    assert kind == REFUSED and "max-takeover-pause (1, uploads among them)" in text
    upload.go_on.set()
    upload.assert_kept(platform)


def test_one_that_had_to_wait_finds_the_runners(platform):
    """They have their time to register again from when there is somebody to register with."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    upload = Upload(platform)
    upload.wait_until_it_is_under_way(platform)
    threading.Timer(4.6, upload.go_on.set).start()
    channel, platform.channel = platform.channel, None  # is to live on
    old = take_over(platform)
    upload.call.result()
    channel.close()
    assert {pid_that_answers(platform) for _ in range(10)} == {pid}
    ends_well(old)
    assert pid_that_answers(platform) == pid


def test_a_runner_that_drains_finishes_its_calls(platform):
    """It is not one of those that register again."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    call = platform.call_future("echo.sleep")
    time.sleep(0.2)
    platform.wait_live(deploy_program(platform, comments=["2"]))
    channel, platform.channel = platform.channel, None
    old = take_over(platform)
    assert b"pid" in call.result().body
    channel.close()
    ends_well(old)
    wait_for(lambda: not platform.runners("draining"), "the Runner to end")


def test_runners_that_are_killed_meanwhile_take_no_other_with_them(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    others = deploy_program(platform, "other", replicas=8)
    platform.wait_live(others)
    lines = [line for one in platform.runners("alive") for line in processes_that_name(one.key) if one.deployment_key == others]
    victims = [pid for pid, line in lines if " runner " in line]
    assert len(victims) == 8

    def kill():
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
            time.sleep(0.03)

    killer = threading.Thread(target=kill)
    killer.start()
    ends_well(take_over(platform))
    killer.join()
    assert pid_that_answers(platform) == pid


def make_certificates(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes", "-subj"]
    openssl("req", "-x509", *new, "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    openssl("req", *new, "/CN=localhost", "-keyout", "own.key", "-out", "own.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl("x509", "-req", "-in", "own.csr", "-out", "own.pem", *signed)


def test_with_tls_and_certificates_of_clients(make_backplane, monkeypatch, tmp_path):
    """Runners come by the inner socket then."""
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    make_certificates(tmp_path)
    options = ["--tls-cert", tmp_path / "own.pem", "--tls-key", tmp_path / "own.key"]
    options += ["--tls-client-ca", tmp_path / "ca.pem"]
    backplane = make_backplane(*options, "--orphan-timeout", "60s", "--drain-timeout", "10s")
    ca, key, own = [(tmp_path / name).read_bytes() for name in ("ca.pem", "own.key", "own.pem")]
    settings = [*NO_LIMIT, ("grpc.use_local_subchannel_pool", 1)]
    backplane.new_channel = lambda: grpc.secure_channel(
        backplane.endpoint.removeprefix("https://"), grpc.ssl_channel_credentials(ca, key, own), settings
    )
    backplane.start()
    backplane.wait_live(deploy_program(backplane))
    pid = pid_that_answers(backplane)
    with Load(backplane) as load:
        for _ in range(2):
            ends_well(take_over(backplane))
            load.wait_for_more()
    assert pid_that_answers(backplane) == pid


def test_a_deploy_sees_it_through(platform):
    """The client that watches is told to ask again."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    with Load(platform):
        for number in range(4):
            key = deploy_program(platform, comments=[str(number)])
            old = take_over(platform)
            platform.wait_live(key)
            ends_well(old)


def test_the_command_line_sees_it_through(platform, tmp_path):
    platform.start()
    project = tmp_path / "slow"
    project.mkdir()
    files = 'deploy = ["main", "go"]\nentry = "main"\n'
    (project / "ftl.toml").write_text(f'module = "slow"\nlanguage = "python"\n{files}')
    verbs = "  data Text { text String }\n  verb echo(slow.Text) slow.Text\n"
    (project / "slow.ftl").write_text(f"module slow {{\n{verbs}}}\n")
    (project / "go").write_text("")
    gate = tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n".encode()
    (project / "main").write_bytes(PROGRAM.replace(b"import json", wait + b"import json", 1))
    (project / "main").chmod(0o755)
    command = [FTL, "deploy", project, "--endpoint", platform.endpoint, "--timeout", f"{LONG}s", "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        wait_for(lambda: any(one.module == "slow" for one in platform.status().deployments), "the deployment")
        ends_well(take_over(platform))
        gate.touch()
        out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, err
    assert "is live" in out


# --- it does not come to that -----------------------------------------------------------------------------------


def run_serve(*options):
    return subprocess.run([FTL, "serve", *options], capture_output=True, text=True, timeout=LONG)


def test_nobody_to_take_over_from(tmp_path):
    answer = run_serve("--takeover", "--data", tmp_path / "data")
    assert answer.returncode == 1
    assert "no Backplane that could be taken over" in answer.stderr and "without --takeover" in answer.stderr


def test_a_second_one_is_told_how(platform):
    platform.start()
    answer = run_serve("--data", platform.data, "--bind", "http://127.0.0.1:0")
    assert answer.returncode == 1
    assert f"process {platform.process.pid}" in answer.stderr and "--takeover" in answer.stderr


def test_another_address_is_refused(platform):
    platform.start()
    answer = run_serve("--takeover", "--data", platform.data, "--bind", "http://127.0.0.1:1")
    assert answer.returncode == 1
    assert platform.endpoint in answer.stderr and "leave --bind out" in answer.stderr
    platform.status()


class Peer:
    """The other end of a handover, without a Backplane."""

    def __init__(self, backplane):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(LONG)
        self.socket.connect(str(backplane.data / "takeover.sock"))

    def send(self, kind, text=b"", first=1, last=1):
        self.socket.send(MAGIC + struct.pack("=III", first, last, kind) + text)

    def receive(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 17, 250)
        for fd in fds:
            os.close(fd)
        if not data:
            return 0, ""
        return struct.unpack_from("=III", data, 8)[2], data[20:].decode()

    def close(self):
        self.socket.close()


def still_works(backplane):
    assert backplane.process.poll() is None
    key = deploy_program(backplane, comments=[str(time.monotonic())])
    backplane.wait_live(key)
    pid_that_answers(backplane)


@pytest.mark.parametrize("step", ["asked", "offered", "ready", "told to go", "failed"])
def test_the_old_one_goes_on(platform, step):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    with Load(platform) as load:
        peer = Peer(platform)
        peer.send(ASK)
        if step != "asked":
            kind, text = peer.receive()
            assert kind == OFFER and f"listener {platform.endpoint}" in text
        if step == "failed":
            peer.send(FAILED, b"it does not feel well")
            assert peer.receive()[0] == REFUSED
        if step in ("ready", "told to go"):
            peer.send(READY)
        if step == "told to go":
            assert peer.receive()[0] == GO
        peer.close()
        load.wait_for_more()
        assert pid_that_answers(platform) == pid
        still_works(platform)
    ends_well(take_over(platform))
    still_works(platform)


def test_requests_that_came_meanwhile_are_answered(platform):
    platform.start()
    peer = Peer(platform)
    peer.send(ASK)
    assert peer.receive()[0] == OFFER
    status = platform.rpc.Status.future(ftl.StatusRequest(), timeout=LONG)
    upload = Upload(platform)
    upload.go_on.set()
    time.sleep(0.2)
    assert not status.done() and not upload.call.done()
    peer.close()
    status.result()
    upload.assert_kept(platform)


def what_became(backplane):
    if backplane.process.poll() is not None:
        return "left"
    try:
        backplane.rpc.Status(ftl.StatusRequest(), timeout=2)
        return "stays"
    except grpc.RpcError:  # it had been taken over, and passes on what it is asked
        return None


def test_one_that_is_killed_on_its_way(platform):
    """Whenever it is, one of the two has all."""
    platform.start()
    key = deploy_program(platform)
    platform.wait_live(key)
    pid = pid_that_answers(platform)
    for number in range(8):
        process = platform.spawn("--takeover")
        time.sleep(number * 0.01)
        process.kill()
        process.wait()
        if wait_for(lambda: what_became(platform), "the old one to stay or to leave") == "left":
            ends_well(platform.process)
            platform.start()
        assert pid_that_answers(platform) == pid
    assert [one.key for one in platform.status().deployments] == [key]


@pytest.mark.parametrize("first, last", [(2, 3), (0, 0)])
def test_other_versions_of_the_handover(platform, first, last):
    platform.start()
    peer = Peer(platform)
    peer.send(ASK, first=first, last=last)
    kind, text = peer.receive()
    assert kind == REFUSED and f"versions {first} to {last}" in text
    peer.close()
    still_works(platform)


def test_an_older_one_is_not_understood(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(data / "takeover.sock"))
        listener.listen()
        process = subprocess.Popen([FTL, "serve", "--takeover", "--data", data], stderr=subprocess.PIPE, text=True)
        peer, _ = listener.accept()
        peer.recv(1000)
        peer.send(MAGIC + struct.pack("=III", 9, 9, OFFER))
        text = process.communicate(timeout=LONG)[1]
        peer.close()
    assert process.returncode == 1 and "versions 9 to 9" in text


def test_nonsense_is_shown_the_door(platform):
    platform.start()
    peer = Peer(platform)
    peer.socket.send(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.receive()[0] in (0, REFUSED)
    peer.close()
    still_works(platform)


def test_the_socket_is_for_this_user(platform):
    platform.start()
    assert (platform.data / "takeover.sock").stat().st_mode & 0o777 == 0o600


def test_sigterm_while_it_leaves(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    channel, platform.channel = platform.channel, None
    call = ftl_grpc.VerbServiceStub(channel).Call.future(
        ftl.CallRequest(verb=schema.VerbRef(module="echo", name="sleep"), body=b"{}"), timeout=LONG
    )
    time.sleep(0.2)
    old = take_over(platform)
    old.send_signal(signal.SIGTERM)
    ends_well(old)
    call.exception()
    channel.close()
    assert is_running(pid) and pid_that_answers(platform) == pid
