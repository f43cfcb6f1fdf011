# SPDX-License-Identifier: Apache-2.0
import subprocess

import pytest

import peers


@pytest.fixture
def server():
    server = peers.Server()
    yield server
    assert server.process.poll() is None, "the server did not survive"
    assert server.answers(), "other clients are not answered any more"
    server.stop()


@pytest.fixture
def tls_server(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    server = peers.Server("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"))
    server.folder = tmp_path
    yield server
    assert server.process.poll() is None, "the server did not survive"
    assert server.answers(), "other clients are not answered any more"
    server.stop()
