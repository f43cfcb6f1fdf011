"""TLS between all parts: modules call each other, and peers without TLS or without a certificate are refused."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

FTL = Path(os.environ["FTL_BUILD"]) / "ftl"
EXAMPLES = Path(__file__).parents[2] / "examples"
CALL = json.dumps({"verb": {"module": "echo", "name": "echo"}, "body": "eyJuYW1lIjoiQm9iIn0="})


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=test authority")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", "/CN=localhost")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "2", "-extfile", "names")
    return folder


@pytest.fixture
def serve(tmp_path, certificates):
    processes = []

    def start(*arguments: str) -> str:
        port_file = tmp_path / "endpoint"
        process = subprocess.Popen(
            [FTL, "serve", "--data", tmp_path / "data", "--port-file", port_file, "--tls-cert", certificates / "server.pem",
             "--tls-key", certificates / "server.key", *arguments],
            stderr=(tmp_path / "log").open("w"))
        processes.append(process)
        deadline = time.monotonic() + 20
        while not port_file.exists() or not port_file.read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return port_file.read_text()

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, (tmp_path / "log").read_text()
    assert not list((tmp_path / "data" / "run").iterdir())
    assert not (tmp_path / "data" / "backplane.sock").exists()


def ftl(endpoint: str, *arguments, ca=None) -> subprocess.CompletedProcess:
    environment = dict(os.environ, FTL_ENDPOINT=endpoint, NO_COLOR="1")
    environment.pop("FTL_CA", None)
    if ca:
        environment["FTL_CA"] = str(ca)
    return subprocess.run([FTL, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def curl(endpoint: str, certificates: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["curl", "-sS", "--max-time", "20", "--cacert", certificates / "ca.pem", "-H", "content-type: application/json", "-d", CALL,
         *arguments, f"{endpoint}/xyz.block.ftl.v1.VerbService/Call"], capture_output=True, text=True)


def test_modules_call_each_other_behind_tls(serve, certificates):
    endpoint = serve("--bind", "https://127.0.0.1:0")
    assert endpoint.startswith("https://")
    untrusted = ftl(endpoint, "ping")
    assert untrusted.returncode == 1
    assert "certificate verify failed" in untrusted.stderr
    assert "running there" not in untrusted.stderr
    assert "hint: --ca names the certificate to trust" in untrusted.stderr
    deployed = ftl(endpoint, "deploy", EXAMPLES / "time", EXAMPLES / "echo", ca=certificates / "ca.pem")
    assert deployed.returncode == 0, deployed.stderr
    answer = ftl(endpoint, "call", "echo.echo", '{"name":"Bob"}', "--ca", certificates / "ca.pem")
    assert json.loads(answer.stdout)["message"].startswith("Hello, Bob! The time is ")
    assert "body" in json.loads(curl(endpoint, certificates).stdout)


def test_clear_text_is_refused_where_tls_is_asked_for(serve, certificates):
    endpoint = serve("--bind", "https://127.0.0.1:0")
    assert curl(endpoint.replace("https", "http"), certificates).returncode != 0
    assert ftl(endpoint.replace("https", "http"), "ping").returncode == 1


def test_one_port_takes_both_without_https(serve, certificates):
    endpoint = serve("--bind", "http://127.0.0.1:0")
    assert ftl(endpoint, "ping").returncode == 0
    assert ftl(endpoint.replace("http", "https"), "ping", ca=certificates / "ca.pem").returncode == 0


def test_clients_must_show_a_certificate(serve, certificates, tmp_path):
    endpoint = serve("--bind", "http://127.0.0.1:0", "--tls-client-ca", str(certificates / "ca.pem"))
    assert endpoint.startswith("https://")
    assert curl(endpoint, certificates).returncode != 0
    known = curl(endpoint, certificates, "--cert", str(certificates / "client.pem"), "--key", str(certificates / "client.key"))
    assert json.loads(known.stdout)["code"] == "not_found"
    told = [line for line in (tmp_path / "log").read_text().splitlines() if "peer did not return a certificate" in line]
    assert len(told) == 1 and "warn" in told[0]


def test_a_runner_by_hand_over_tls(serve, certificates, tmp_path):
    endpoint = serve("--bind", "https://localhost:0", "--ca", str(certificates / "ca.pem"))
    runner = subprocess.Popen(
        [FTL, "runner", "--language", "c", "--endpoint", endpoint, "--ca", certificates / "ca.pem", "--tls-cert",
         certificates / "client.pem", "--tls-key", certificates / "client.key", "--bind", "https://localhost:0"],
        stderr=(tmp_path / "runner.log").open("w"))
    try:
        deadline = time.monotonic() + 20
        while "registered with" not in (tmp_path / "runner.log").read_text():
            assert runner.poll() is None and time.monotonic() < deadline, (tmp_path / "runner.log").read_text()
            time.sleep(0.05)
        status = json.loads(ftl(endpoint, "status", "-o", "json", ca=certificates / "ca.pem").stdout)
        assert [r["state"] for r in status["runners"] if r["endpoint"].startswith("https://localhost")] == ["idle"]
    finally:
        runner.terminate()
        assert runner.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bind", "https://127.0.0.1:0"], "--tls-cert and --tls-key"),
        (["--bind", "http://127.0.0.1:0", "--tls-cert", "x.pem"], "go together"),
        (["--bind", "http://127.0.0.1:0", "--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.key"], "/nonexistent"),
    ],
)
def test_wrong_options_are_explained(tmp_path, arguments, says):
    done = subprocess.run([FTL, "serve", "--data", tmp_path / "data", *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert says in done.stderr
