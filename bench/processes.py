# SPDX-License-Identifier: Apache-2.0
"""Starts processes on chosen cores and measures their CPU time and memory."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))


class Failed(Exception):
    """A measure could not be taken; the text says why."""


def cores(which):
    """The cores of a role: "router" has the first one alone, "load" the others, "all" has all."""
    if which == "all" or len(CORES) == 1:
        return CORES
    return CORES[:1] if which == "router" else CORES[1:]


def pinned(command, which):
    return ["taskset", "-c", ",".join(map(str, cores(which))), *map(str, command)]


class Process:
    """A server that runs until stop."""

    def __init__(self, command, folder, name, which="all", env=None):
        self.name = name
        self.log = Path(folder) / f"{name}.log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                pinned(command, which),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self):
        return self.popen.pid

    def wait_for_port(self, port, seconds=20):
        self.wait(lambda: answers(port), f"to listen on {port}", seconds)
        return self

    def wait_for_text(self, text, seconds=20):
        self.wait(lambda: text in self.log.read_text(errors="replace"), f"to say {text!r}", seconds)
        return self

    def wait(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if self.popen.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} did not come {what}:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count):
    """The first of count free ports in a row."""
    for first in range(21000 + os.getpid() % 1000, 60000, count):
        taken = []
        try:
            for port in range(first, first + count):
                taken.append(socket.socket())
                taken[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
    raise Failed(f"there are no {count} free ports in a row")


def family(pid):
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def cpu_seconds(pid):
    """User and system time of a process in nanoseconds: its CPU clock (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def family_cpu_seconds(pid):
    return sum(map(cpu_seconds, family(pid)))


def status_bytes(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"the process {pid} is gone")


def resident_bytes(pid):
    return status_bytes(pid, "VmRSS")


def own_bytes(pid):
    """The part that it shares with no other process of the program: all but pages of files."""
    return status_bytes(pid, "RssAnon")


def peak_bytes(pid):
    return status_bytes(pid, "VmHWM")


def reset_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")
