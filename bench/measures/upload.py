# SPDX-License-Identifier: Apache-2.0
"""An artefact uploaded, hashed and synced, against openssl that only hashes the same file."""

import os
import subprocess
import time

from processes import Process, pinned
from report import Figure

SIZE = 256 << 20


def take(bench, settings):
    _, port = bench.backplane("all", threads=1)
    bench.runners(port)
    size = SIZE // 16 if settings.quick else SIZE
    rates = Figure(f"an artefact of {size >> 20} MiB", "MB/s", targets={"openssl dgst": "≥ 0.8"})
    folder = bench.folder / "artefact"

    def new_content():
        """Not to be found in what was uploaded before."""
        bench.write("artefact/artefact.ftl", "module artefact {\n}\n")
        bench.write("artefact/ftl.toml", 'module = "artefact"\nlanguage = "bench"\ndeploy = ["main"]\n')
        block = os.urandom(1 << 20)
        with (folder / "main").open("wb") as main:
            for at in range(size >> 20):
                main.write(at.to_bytes(8, "big") + block[8:])
        (folder / "main").chmod(0o755)

    def timed(run):
        begin = time.monotonic()
        run()
        return size / (time.monotonic() - begin) / 1e6

    def deploy():
        bench.ftl(port, "deploy", "--no-wait", folder)

    def openssl():
        subprocess.run(pinned(["openssl", "dgst", "-sha256", folder / "main"], "all"), check=True, capture_output=True)

    def fresh_deploy():
        new_content()
        return timed(deploy)

    for name, rate in settings.turns({"ftl": fresh_deploy, "openssl dgst": lambda: timed(openssl)}):
        rates.add(name, rate)
    rates.note = "ftl deploy hashes the file once more itself, to ask whether it is there"
    return [rates]
