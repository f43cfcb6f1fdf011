# SPDX-License-Identifier: Apache-2.0
import subprocess
import threading
import time

import pytest

import peers


class Bystander:
    """Another client, which calls all the time."""

    def __init__(self, server):
        self.server = server
        self.answers = []
        self.over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            self.answers.append(self.server.answers())
            time.sleep(0.02)

    def stop(self):
        self.over = True
        self.thread.join()
        assert self.answers and all(self.answers), "another client was not answered"


@pytest.fixture
def server():
    server = peers.Server()
    bystander = Bystander(server)
    yield server
    bystander.stop()
    assert server.process.poll() is None, "the server did not survive"
    assert server.answers(), "other clients are no longer answered"
    server.stop()


@pytest.fixture
def tls_server(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    server = peers.Server("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"))
    server.folder = tmp_path
    bystander = Bystander(server)
    yield server
    bystander.stop()
    assert server.process.poll() is None, "the server did not survive"
    assert server.answers(), "other clients are no longer answered"
    server.stop()
