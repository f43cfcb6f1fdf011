# SPDX-License-Identifier: Apache-2.0
"""Resident memory of idle processes."""

from processes import family, own_bytes, resident_bytes
from report import Figure


def take(bench, settings):
    backplane, port = bench.backplane("all", threads=2, warm=1)
    bench.deploy_c(port, "inside", "library")
    runners = family(backplane.pid)[1:]
    first = Figure("memory of an idle Backplane", "MB", bound="≤ 10")
    second = Figure("memory of an idle Runner with a module in it", "MB", bound="≤ 5")
    first.add("ftl", resident_bytes(backplane.pid) / 1e6)
    own = Figure("of it its own: the rest is program text, which Runners share", "MB")
    for pid in runners:
        second.add("ftl", resident_bytes(pid) / 1e6)
        own.add("ftl", own_bytes(pid) / 1e6)
    return [first, second, own]
