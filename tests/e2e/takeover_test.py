# SPDX-License-Identifier: Apache-2.0
"""A Backplane takes over from a running one while clients call without a pause: no call fails."""

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
from harness import (
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
    """A Backplane whose Runners are real processes, made by its Platform."""
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    return make_backplane("--orphan-timeout", "60s", "--drain-timeout", "10s")


class Load:
    """Calls without a pause from several threads, a connection each, and collects the failures."""

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
        """Waits until each thread has made a few more calls."""
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
    """Starts a process that takes over from the running one. Returns the old process."""
    old = backplane.process
    backplane.start("--takeover", *options)
    return old


def exits_with_0(process):
    assert process.wait(LONG) == 0


# --- takeovers that succeed -------------------------------------------------------------------------------------


def test_no_call_fails(platform):
    platform.start()
    key = deploy_program(platform, replicas=2)
    platform.wait_live(key)
    runners = {one.key for one in platform.runners("alive")}
    pids = {pid_that_answers(platform) for _ in range(30)}
    with Load(platform) as load:
        for _ in range(3):
            exits_with_0(take_over(platform))
            load.wait_for_more()
    wait_for(lambda: len(platform.runners("alive")) == 2, "both Runners")
    assert {one.key for one in platform.runners("alive")} == runners
    assert all(one.managed for one in platform.runners())
    # A replica that was slow for a moment is ejected, and readmitted a second later.
    wait_for(lambda: {pid_that_answers(platform) for _ in range(30)} == pids, "both programs")
    assert [(one.key, one.state) for one in platform.status().deployments] == [(key, ftl.DEPLOYMENT_STATE_LIVE)]


def test_a_call_in_progress_ends_at_the_old_process(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    call = platform.call_future("echo.sleep")
    time.sleep(0.2)
    channel, platform.channel = platform.channel, None  # start() would close it
    old = take_over(platform)
    assert pid_that_answers(platform) == pid
    assert json.loads(call.result().body) == {"pid": pid}
    channel.close()
    exits_with_0(old)


def test_earlier_deployments_can_be_rolled_back_to(platform):
    platform.start()
    first = deploy_program(platform)
    platform.wait_live(first)
    second = deploy_program(platform, comments=["2"])
    platform.wait_live(second)
    exits_with_0(take_over(platform))
    assert platform.rpc.RollbackModule(ftl.RollbackModuleRequest(module="echo")).deployment_key == first
    platform.wait_live(first)
    pid_that_answers(platform)


def test_without_clients_the_old_process_exits_at_once(platform):
    """The old process exits as soon as each of its threads has been told to leave."""
    platform.start()
    platform.disconnect()
    for _ in range(40):
        old, platform.process = platform.process, platform.spawn("--takeover")
        wait_for(platform.port_file.exists, "the port file")
        exits_with_0(old)


class Upload:
    """The upload of an artefact, whose second half is sent once go_on is set."""

    def __init__(self, backplane):
        self.content, self.go_on = os.urandom(1 << 20), threading.Event()
        self.call = backplane.rpc.UploadArtefact.future(self.pieces(), timeout=LONG)

    def pieces(self):
        half = len(self.content) // 2
        yield ftl.UploadArtefactRequest(content=self.content[:half])
        self.go_on.wait(LONG)
        yield ftl.UploadArtefactRequest(content=self.content[half:])

    def wait_until_it_has_begun(self, backplane):
        incoming = backplane.data / "artefacts" / "incoming"
        wait_for(lambda: any(file.stat().st_size for file in incoming.iterdir()), "the first half to be written")

    def assert_stored(self, backplane):
        digest = digest_of(self.content)
        assert self.call.result().digest.hex() == digest
        asked = ftl.GetArtefactDiffsRequest(client_digests=[digest])
        assert not backplane.rpc.GetArtefactDiffs(asked, timeout=LONG).missing_digests


def test_an_upload_in_progress_is_waited_for(platform):
    platform.start()
    upload = Upload(platform)
    upload.wait_until_it_has_begun(platform)
    channel, platform.channel = platform.channel, None  # start() would close it
    timer = threading.Timer(1, upload.go_on.set)
    timer.start()
    exits_with_0(take_over(platform))
    upload.assert_stored(platform)
    channel.close()


def test_an_upload_that_takes_too_long_prevents_the_takeover(platform):
    platform.start()
    upload = Upload(platform)
    upload.wait_until_it_has_begun(platform)
    peer = Peer(platform)
    peer.send(ASK)
    kind, text = peer.receive()
    assert kind == REFUSED and "max-takeover-pause (1, uploads among them)" in text
    upload.go_on.set()
    upload.assert_stored(platform)


def test_sigterm_while_it_waits_for_an_upload(platform):
    platform.start()
    platform.wait_live(deploy_program(platform))
    upload = Upload(platform)
    upload.wait_until_it_has_begun(platform)
    peer = Peer(platform)
    peer.send(ASK)
    time.sleep(0.2)
    platform.process.send_signal(signal.SIGTERM)
    kind, text = peer.receive()
    assert kind == REFUSED and text == "the Backplane is stopping"
    upload.go_on.set()
    upload.call.exception()
    exits_with_0(platform.process)


def test_a_takeover_that_had_to_wait_finds_the_runners(platform):
    """The time that Runners have to register again begins when the new process serves."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    upload = Upload(platform)
    upload.wait_until_it_has_begun(platform)
    threading.Timer(4.6, upload.go_on.set).start()
    channel, platform.channel = platform.channel, None  # start() would close it
    old = take_over(platform)
    upload.call.result()
    channel.close()
    assert {pid_that_answers(platform) for _ in range(10)} == {pid}
    exits_with_0(old)
    assert pid_that_answers(platform) == pid


def test_a_runner_that_drains_finishes_its_calls(platform):
    """A draining Runner does not register again."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    call = platform.call_future("echo.sleep")
    time.sleep(0.2)
    platform.wait_live(deploy_program(platform, comments=["2"]))
    channel, platform.channel = platform.channel, None
    old = take_over(platform)
    assert b"pid" in call.result().body
    channel.close()
    exits_with_0(old)
    wait_for(lambda: not platform.runners("draining"), "the Runner to end")


def test_runners_that_are_killed_meanwhile_do_not_affect_others(platform):
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
    exits_with_0(take_over(platform))
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
    """Runners then connect to the inner socket."""
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
            exits_with_0(take_over(backplane))
            load.wait_for_more()
    assert pid_that_answers(backplane) == pid


def test_a_deployment_in_progress_goes_live(platform):
    """A client that watches the deployment is told to ask again."""
    platform.start()
    platform.wait_live(deploy_program(platform))
    with Load(platform):
        for number in range(4):
            key = deploy_program(platform, comments=[str(number)])
            old = take_over(platform)
            platform.wait_live(key)
            exits_with_0(old)


def test_ftl_deploy_in_progress_succeeds(platform, tmp_path):
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
        exits_with_0(take_over(platform))
        gate.touch()
        out, err = client.communicate(timeout=LONG)
    assert client.returncode == 0, err
    assert "is live" in out


# --- takeovers that fail ----------------------------------------------------------------------------------------


def run_serve(*options):
    return subprocess.run([FTL, "serve", *options], capture_output=True, text=True, timeout=LONG)


def test_a_takeover_without_a_running_backplane_fails(tmp_path):
    answer = run_serve("--takeover", "--data", tmp_path / "data")
    assert answer.returncode == 1
    assert "no Backplane that could be taken over" in answer.stderr and "without --takeover" in answer.stderr


def test_a_second_backplane_is_refused_and_told_of_takeover(platform):
    platform.start()
    answer = run_serve("--data", platform.data, "--bind", "http://127.0.0.1:0")
    assert answer.returncode == 1
    assert f"process {platform.process.pid}" in answer.stderr and "--takeover" in answer.stderr


def test_the_control_side_answers_after_a_takeover_that_failed(make_backplane):
    """A worker gets spare connections to the control side for a takeover. The control side closes those that stay unused."""
    backplane = make_backplane().start()
    assert run_serve("--takeover", "--data", backplane.data, "--bind", "http://127.0.0.1:1").returncode == 1
    time.sleep(11)  # the header timeout of the control side is 10 s
    for _ in range(40):
        backplane.disconnect()
        backplane.connect()
        backplane.status()


def test_another_address_is_refused(platform):
    platform.start()
    answer = run_serve("--takeover", "--data", platform.data, "--bind", "http://127.0.0.1:1")
    assert answer.returncode == 1
    assert platform.endpoint in answer.stderr and "leave --bind out" in answer.stderr
    platform.status()


@pytest.mark.parametrize("how", ["client ca", "https"])
def test_tls_only_after_clear_text_is_refused(platform, tmp_path, how):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    make_certificates(tmp_path)
    options = ["--tls-cert", tmp_path / "own.pem", "--tls-key", tmp_path / "own.key"]
    if how == "https":
        options += ["--bind", platform.endpoint.replace("http:", "https:")]
    else:
        options += ["--tls-client-ca", tmp_path / "ca.pem"]
    answer = run_serve("--takeover", "--data", platform.data, *options)
    assert answer.returncode == 1
    assert f"takes clear text on {platform.endpoint}" in answer.stderr and "--tls-client-ca" in answer.stderr
    assert pid_that_answers(platform) == pid
    # With a certificate alone the port takes both.
    exits_with_0(take_over(platform, *options[:4]))
    assert pid_that_answers(platform) == pid


class Peer:
    """The new process's end of the handover, without a Backplane behind it."""

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
def test_the_old_process_goes_on_when_the_new_one_fails(platform, step):
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
            peer.send(FAILED, b"the database cannot be read")
            assert peer.receive()[0] == REFUSED
        if step in ("ready", "told to go"):
            peer.send(READY)
        if step == "told to go":
            assert peer.receive()[0] == GO
        peer.close()
        load.wait_for_more()
        assert pid_that_answers(platform) == pid
        still_works(platform)
    exits_with_0(take_over(platform))
    still_works(platform)


HANGING = """
import fcntl, os, socket, struct, sys, time
magic, folder, way = bytes.fromhex(sys.argv[1]), sys.argv[2], sys.argv[3]
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(folder + "/takeover.sock")
peer.send(magic + struct.pack("=III", 1, 1, 1))  # ASK
peer.recv(1 << 17)
lock = open(folder + "/lock", "r+")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
if way == "closed":
    peer.close()
else:
    peer.send(magic + struct.pack("=III", 1, 1, 4))  # READY
    peer.recv(1 << 17)
time.sleep(1000)
"""


@pytest.mark.parametrize("way", ["silent after GO", "closed"])
def test_a_new_process_that_hangs_with_the_data_open_is_killed(platform, way):
    platform.start()
    platform.wait_live(deploy_program(platform))
    pid = pid_that_answers(platform)
    hanging = subprocess.Popen([sys.executable, "-c", HANGING, MAGIC.hex(), str(platform.data), way])
    assert hanging.wait(LONG) == -signal.SIGKILL
    still_works(platform)
    assert pid_that_answers(platform) != pid  # of the deployment that still_works has deployed
    assert f"process {hanging.pid}, which asked to take over, hangs with the data folder open" in platform.log()
    exits_with_0(take_over(platform))
    still_works(platform)


def test_a_process_that_connects_and_does_not_ask_is_refused(platform):
    platform.start()
    silent = Peer(platform)
    assert silent.receive() == (REFUSED, "the other process did not ask within 2000 ms")
    exits_with_0(take_over(platform))
    still_works(platform)


def test_the_time_of_the_handover_does_not_count_as_draining(make_backplane, monkeypatch):
    monkeypatch.setenv("TEST_PYTHON_PATH", json.dumps(sys.path))
    backplane = make_backplane("--orphan-timeout", "60s", "--drain-timeout", "2s")
    backplane.start()
    backplane.wait_live(deploy_program(backplane))
    peer = Peer(backplane)
    peer.send(ASK)
    assert peer.receive()[0] == OFFER
    time.sleep(2.3)  # the control thread stands still
    call = backplane.call_future("echo.sleep")  # takes 1 s
    time.sleep(0.2)
    for kind in (READY, TAKEN):
        peer.send(kind)
    assert peer.receive()[0] == GO
    assert "pid" in json.loads(call.result().body)
    exits_with_0(backplane.process)
    backplane.start()  # clears away what the peer left


def test_requests_during_a_failed_takeover_are_answered(platform):
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
    upload.assert_stored(platform)


def what_became(backplane):
    if backplane.process.poll() is not None:
        return "left"
    try:
        backplane.rpc.Status(ftl.StatusRequest(), timeout=2)
        return "stays"
    except grpc.RpcError:  # it was taken over, and passes requests on
        return None


def test_a_new_process_that_is_killed_during_the_takeover(platform):
    """At whatever moment it dies, one of the two processes has all data and sockets."""
    platform.start()
    key = deploy_program(platform)
    platform.wait_live(key)
    pid = pid_that_answers(platform)
    for number in range(8):
        process = platform.spawn("--takeover")
        time.sleep(number * 0.01)
        process.kill()
        process.wait()
        if wait_for(lambda: what_became(platform), "the old process to stay or to leave") == "left":
            exits_with_0(platform.process)
            platform.start()
        assert pid_that_answers(platform) == pid
    assert [one.key for one in platform.status().deployments] == [key]


@pytest.mark.parametrize("first, last", [(2, 3), (0, 0)])
def test_a_handover_of_unknown_versions_is_refused(platform, first, last):
    platform.start()
    peer = Peer(platform)
    peer.send(ASK, first=first, last=last)
    kind, text = peer.receive()
    assert kind == REFUSED and f"versions {first} to {last}" in text
    peer.close()
    still_works(platform)


def test_an_offer_of_an_unknown_version_is_refused(tmp_path):
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


def test_a_malformed_packet_is_refused(platform):
    platform.start()
    peer = Peer(platform)
    peer.socket.send(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.receive()[0] in (0, REFUSED)
    peer.close()
    still_works(platform)


def test_only_this_user_may_open_the_takeover_socket(platform):
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
    exits_with_0(old)
    call.exception()
    channel.close()
    assert is_running(pid) and pid_that_answers(platform) == pid
