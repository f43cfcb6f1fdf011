"""TLS between all parts: modules call each other, and peers without TLS or without a certificate are refused."""

import json
import os
import signal
import socket
import subprocess
import threading
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
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "stranger.key", "-out", "stranger.pem", "-days", "2",
            "-subj", "/CN=stranger")
    here = "DNS:localhost,IP:127.0.0.1"
    for name, names, days in (("server", here, "2"), ("client", here, "2"), ("elsewhere", "DNS:ftl.example,IP:192.0.2.7", "2"),
                              ("expired", here, "-1")):
        (folder / "names").write_text(f"subjectAltName={names}\n")
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", "/CN=localhost")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", days, "-extfile", "names")
    return folder


@pytest.fixture
def serve(tmp_path, certificates):
    processes = []

    def start(*arguments: str, name: str = "server") -> str:
        port_file = tmp_path / "endpoint"
        own = ["--tls-cert", certificates / f"{name}.pem", "--tls-key", certificates / f"{name}.key"] if name else []
        process = subprocess.Popen(
            [FTL, "serve", "--data", tmp_path / "data", "--port-file", port_file, *own, *arguments],
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


def ftl(endpoint: str, *arguments, ca=None, home=None, **variables) -> subprocess.CompletedProcess:
    environment = dict(os.environ, FTL_ENDPOINT=endpoint, NO_COLOR="1", **{name: str(value) for name, value in variables.items()})
    for name in ("FTL_CA", "FTL_CERT", "FTL_KEY"):
        if name not in variables:
            environment.pop(name, None)
    if ca:
        environment["FTL_CA"] = str(ca)
    if home:
        environment["XDG_CONFIG_HOME"] = str(home)
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
    told = [line for line in (tmp_path / "log").read_text().splitlines() if "the client shows no certificate" in line]
    assert len(told) == 1 and "warn" in told[0]


def test_the_command_line_shows_its_certificate(serve, certificates, tmp_path):
    """By options, by variables and by config.toml, whose relative paths begin in its folder."""
    endpoint = serve("--bind", "https://127.0.0.1:0", "--tls-client-ca", str(certificates / "ca.pem"))
    own = ["--cert", certificates / "client.pem", "--key", certificates / "client.key"]
    deployed = ftl(endpoint, "deploy", EXAMPLES / "time", "--ca", certificates / "ca.pem", *own)
    assert deployed.returncode == 0, deployed.stderr
    variables = {"FTL_CERT": certificates / "client.pem", "FTL_KEY": certificates / "client.key"}
    called = ftl(endpoint, "call", "time.time", ca=certificates / "ca.pem", **variables)
    assert "time" in json.loads(called.stdout)
    (tmp_path / "ftl").mkdir()
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / "ftl" / name).write_bytes((certificates / name).read_bytes())
    (tmp_path / "ftl" / "config.toml").write_text(
        f'endpoint = "{endpoint}"\nca = "ca.pem"\ncert = "client.pem"\nkey = "{tmp_path}/ftl/client.key"\n')
    assert ftl("", "ping", home=tmp_path).stdout.startswith(f"{endpoint} is ready")
    half = ftl(endpoint, "ping", "--cert", certificates / "client.pem", home=tmp_path)
    assert half.returncode == 1 and "only the certificate is given; name both by --cert and --key" in half.stderr


@pytest.mark.parametrize(("own", "says", "hint"), [
    ([], "the server admits only clients with a certificate, and none was shown", "--cert and --key name the certificate to show"),
    (["--cert", "stranger.pem", "--key", "stranger.key"], "the server refuses the certificate {folder}/stranger.pem (unknown CA)",
     "--cert and --key name a certificate of an authority that the server trusts"),
    (["--cert", "expired.pem", "--key", "expired.key"], "the server refuses the certificate {folder}/expired.pem (certificate expired)",
     "--cert and --key name a certificate of an authority that the server trusts"),
    (["--cert", "client.pem", "--key", "server.key"], "could not load the TLS key {folder}/server.key: it is not the key of the certificate",
     None),
    (["--cert", "none.pem", "--key", "client.key"], "could not load the TLS certificate {folder}/none.pem: No such file or directory", None),
    (["--cert", "client.key", "--key", "client.key"], "could not load the TLS certificate {folder}/client.key: the file has no such PEM block",
     None),
])
def test_what_is_wrong_with_a_client_certificate_is_named(serve, certificates, own, says, hint):
    endpoint = serve("--bind", "https://127.0.0.1:0", "--tls-client-ca", str(certificates / "ca.pem"))
    arguments = [word if word.startswith("--") else str(certificates / word) for word in own]
    refused = ftl(endpoint, "ping", *arguments, ca=certificates / "ca.pem")
    assert refused.returncode == 1
    assert says.format(folder=certificates) in refused.stderr, refused.stderr
    assert "running there" not in refused.stderr and "SSL routines" not in refused.stderr
    assert (f"hint: {hint}" in refused.stderr) == (hint is not None)


@pytest.mark.parametrize(("name", "authorities", "says", "hint"), [
    ("elsewhere", "ca.pem", "the server's certificate is for ftl.example, 192.0.2.7, and not for 127.0.0.1",
     "--endpoint must have a name that the certificate is for"),
    ("expired", "ca.pem", "the server's certificate is not valid now (certificate has expired)", None),
    ("server", "stranger.pem", "the server's certificate is not trusted by {folder}/stranger.pem", "--ca names the certificate to trust"),
    ("server", "server.key", "could not load the TLS authorities {folder}/server.key: the file has no such PEM block", None),
    ("server", "none.pem", "could not load the TLS authorities {folder}/none.pem: No such file or directory", None),
    ("server", "", "could not load the TLS authorities {folder}/: it is a folder; name a PEM file", None),
])
def test_what_is_wrong_with_a_server_certificate_is_named(serve, certificates, name, authorities, says, hint):
    endpoint = serve("--bind", "https://127.0.0.1:0", name=name)
    refused = ftl(endpoint, "ping", "--ca", f"{certificates}/{authorities}")
    assert refused.returncode == 1
    assert says.format(folder=certificates) in refused.stderr, refused.stderr
    assert "running there" not in refused.stderr and "SSL routines" not in refused.stderr
    assert (f"hint: {hint}" in refused.stderr) == (hint is not None)


def test_clear_text_at_a_port_of_tls_is_told_so(serve, certificates):
    """In HTTP/2 and in HTTP/1.1, and by a server of other make, which answers with an alert or in HTTP/1.1."""
    endpoint = serve("--bind", "https://127.0.0.1:0")
    clear = ftl(endpoint.replace("https", "http"), "ping")
    assert clear.returncode == 1
    assert "this port takes TLS only; use https://" in clear.stderr
    assert "hint: an endpoint with TLS begins with https://" in clear.stderr
    answer = curl(endpoint.replace("https", "http"), certificates)
    assert answer.stdout == "this port takes TLS only; use https://\n"


@pytest.mark.parametrize(("answer", "says"), [
    (b"\x15\x03\x01\x00\x02\x02\x46", "the peer speaks TLS, and this side spoke in clear text"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer answers in HTTP/1, and HTTP/2 is spoken to it: HTTP/1.1 400 Bad Request"),
])
def test_a_server_that_speaks_something_else_is_named(answer, says):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve_all():
            for _ in range(3):
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.recv(65536)
        thread = threading.Thread(target=serve_all, daemon=True)
        thread.start()
        refused = ftl(f"http://127.0.0.1:{server.getsockname()[1]}", "ping")
    assert refused.returncode == 1 and says in refused.stderr, refused.stderr
    assert ("hint: an endpoint with TLS begins with https://" in refused.stderr) == (answer[0] == 0x15)


def test_tls_at_a_port_without_it_is_told_so(serve, certificates):
    endpoint = serve("--bind", "http://127.0.0.1:0", name="")
    refused = ftl(endpoint.replace("http", "https"), "ping", ca=certificates / "ca.pem")
    assert refused.returncode == 1
    assert "it may not speak TLS on this port" in refused.stderr and "running there" not in refused.stderr
    assert "hint: an endpoint without TLS begins with http://" in refused.stderr


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
