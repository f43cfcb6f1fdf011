# SPDX-License-Identifier: Apache-2.0
"""An artefact uploaded, hashed and synced, against openssl hashing the same file, and against writing it to the disk."""

import os
import subprocess
import time

from processes import Failed, pinned
from report import Figure
from systems import PROGRAMS

SIZE = 256 << 20


def run(command):
    return subprocess.run(pinned(command, "all"), check=True, capture_output=True, text=True).stdout


def digest_of(path):
    return run(["openssl", "dgst", "-sha256", "-r", path]).split()[0]


def write_content(path, size):
    """Writes new content that was never uploaded, and syncs it, so that no later sync has to wait for it."""
    block = os.urandom(1 << 20)
    with path.open("wb") as main:
        for at in range(size >> 20):
            main.write(at.to_bytes(8, "big") + block[8:])
        main.flush()
        os.fsync(main.fileno())
    path.chmod(0o755)


def take(bench, settings):
    _, port = bench.backplane("all", threads=1)
    bench.runners(port)
    size = SIZE // 16 if settings.quick else SIZE
    bench.write("artefact/artefact.ftl", "module artefact {\n}\n")
    bench.write("artefact/ftl.toml", 'module = "artefact"\nlanguage = "bench"\ndeploy = ["main"]\n')
    folder = bench.folder / "artefact"
    main, copy, kept = folder / "main", bench.folder / "copy", bench.folder / f"data-{port}" / "artefacts"

    def timed(work):
        begin = time.monotonic()
        work()
        return size / (time.monotonic() - begin) / 1e6

    def forget():
        """Removes the files of the last round, so that each round has the same memory for its own."""
        copy.unlink(missing_ok=True)
        for path in kept.glob("??/*"):
            path.unlink()

    def upload():
        write_content(main, size)
        digests = []
        rate = timed(lambda: digests.append(run([PROGRAMS / "bench-upload", "--to", f"http://127.0.0.1:{port}", "--file", main])))
        if digests[0].strip() != digest_of(main):
            raise Failed("the Backplane's digest of the upload differs from openssl's")
        return rate

    def deploy():
        write_content(main, size)
        return timed(lambda: bench.ftl(port, "deploy", "--no-wait", folder))

    takers = {
        "ftl": upload,
        "openssl dgst": lambda: timed(lambda: digest_of(main)),
        "write and fsync": lambda: timed(lambda: run(["dd", f"if={main}", f"of={copy}", "bs=256K", "conv=fsync"])),
        "ftl deploy": deploy,
    }
    rates = Figure(f"UploadArtefact of {size >> 20} MiB", "MB/s", targets={"openssl dgst": "≥ 0.8"})
    rates.note = "write and fsync: dd of the same file, what the disk can do"
    for name, rate in settings.turns(takers):
        rates.add(name, rate)
        forget()
    whole = Figure(f"ftl deploy of {size >> 20} MiB", "MB/s")
    whole.samples = {"ftl": rates.samples.pop("ftl deploy"), "openssl dgst": rates.samples["openssl dgst"]}
    whole.note = "it hashes the file itself first, to ask whether it is there"
    return [rates, whole]
