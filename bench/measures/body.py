# SPDX-License-Identifier: Apache-2.0
"""A body of 64 MiB through two hops to the same echo server, one call at a time: Backplane and Runner, or HAProxy twice."""

from load import Call, h2load
from processes import Failed, family, peak_bytes, reset_peak, resident_bytes
from report import Figure

SIZE = (64 << 20) - 4096  # max-message is 64 MiB with everything
WINDOW = 30  # bits


def take(bench, settings):
    backplane, port = bench.backplane("all", threads=1, options=["--max-message", "64MiB"])
    bench.deploy_echo(port)
    _, echo = bench.echo("all")
    second, second_port = bench.haproxy(echo, "all")
    first, first_port = bench.haproxy(second_port, "all")
    runner = family(backplane.pid)[1]
    chains = {
        "ftl": (port, Call(bench.folder, "child.echo", SIZE), [backplane.pid, runner]),
        "haproxy twice": (first_port, Call(bench.folder, "bench.echo", SIZE), [first.pid, second.pid]),
    }
    rates = Figure("a body of 64 MiB there and back through two hops, both ways counted", "MB/s")
    rates.targets = {"haproxy twice": "≥ 0.7"}
    memory = Figure("memory that it takes at most, of the larger of the two routers", "MB", bound="≤ 2")

    def sample(at, call, pids):
        small = Call(bench.folder, call.message.name.rpartition("-")[0], 1024)
        h2load(at, small, 100, connections=1, which="all")
        before = [resident_bytes(pid) for pid in pids]
        for pid in pids:
            reset_peak(pid)
        rate = h2load(at, call, 4, connections=1, which="all", window=WINDOW)
        grown = max(peak_bytes(pid) - was for pid, was in zip(pids, before))
        return rate * 2 * SIZE / 1e6, grown / 1e6

    for name, (rate, grown) in settings.turns({n: lambda c=c: sample(*c) for n, c in chains.items()}):
        rates.add(name, rate)
        memory.add(name, grown)
    return [rates, memory]
