# SPDX-License-Identifier: Apache-2.0
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

# gRPC's fork handlers prepare a forked process to use gRPC. Tests only fork to run another program, and the handlers
# may abort the forked process (SIGABRT) before it does.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import grpc  # noqa: E402
import pytest  # noqa: E402
from harness import Backplane, FakeRunner  # noqa: E402

# A shell starts background jobs with SIGINT and SIGQUIT ignored, nohup its program with SIGHUP, and their children
# inherit that. The processes under test must have the default handlers.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)


def or_skip(function):
    """The function, which needs a pseudo-terminal. Where there are none, as without /dev/pts, the test is skipped."""

    def made():
        try:
            return function()
        except OSError as error:
            pytest.skip(f"there are no pseudo-terminals here: {error}")

    return made


os.openpty, os.forkpty = or_skip(os.openpty), or_skip(os.forkpty)


@pytest.fixture
def tmp_path():
    """A temporary folder with a shorter path than pytest's own, as the path of a socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ftl-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_backplane(tmp_path):
    """Makes Backplanes that have not started yet, each with a folder of its own."""
    made = []

    def make(*options, **settings):
        folder = tmp_path / f"backplane{len(made)}"
        folder.mkdir()
        made.append(Backplane(folder, *options, **settings))
        return made[-1]

    yield make
    for backplane in made:
        backplane.clean_up()


@pytest.fixture
def backplane(make_backplane):
    """A Backplane without warm Runners: its Platform starts one only for a deployment that finds no idle Runner."""
    return make_backplane("--warm", "0", "--drain-timeout", "5s").start()


@pytest.fixture
def make_runner(backplane):
    """Makes Runners that have not registered yet."""
    made = []

    def make(**settings):
        made.append(FakeRunner(settings.pop("backplane", backplane), **settings))
        return made[-1]

    yield make
    for runner in made:
        runner.stop()


@pytest.fixture
def runner(make_runner):
    """An idle Runner for the language "test"."""
    return make_runner().register()


@pytest.fixture
def refused():
    """Checks that a call fails with a code, words and a reason, and that its text names no command or option."""

    def refused(code, *words, reason=""):
        return _Refused(code, words, reason)

    return refused


class _Refused:
    def __init__(self, code, words, reason):
        self.code = getattr(grpc.StatusCode, code)
        self.words = words
        self.reason = reason

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, grpc.RpcError), f"expected {self.code}, got {error!r}"
        self.text = error.details()
        assert error.code() == self.code, f"{error.code()}: {self.text}"
        for word in self.words:
            assert word in self.text
        assert not re.search(r"\bftl [a-z]|(?<!\")--[a-z]", self.text), self.text
        details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        assert self.reason.encode() in details, f"{self.reason} is not in {details!r}"
        return True
