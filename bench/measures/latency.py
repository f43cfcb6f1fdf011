# SPDX-License-Identifier: Apache-2.0
"""The latency of a call at 1,000 calls a second on 16 connections, from when it was due: what a hop adds, and the whole.

For a router, what it adds is its latency less that of a direct call. A request over NATS always passes its server, so only the
whole can be measured.
"""

from load import Call, nats_open_loop, open_loop
from measures.hop import start_ftl
from processes import cpu_seconds
from report import Figure
from systems import PROGRAMS

DIRECT = "echo server itself"
POLLING = ["--busy-poll", "100"]
RATE = 1000
WARM_UP = 1  # seconds before those that count
ADDED = {"p50": "≤ 150", "p90": "", "p99": "≤ 600", "p999": ""}
WHOLE = ["p50", "p99"]


def added(taken, percentile, bound):
    figure = Figure(f"latency added at 1,000 calls/s, {percentile}", "µs", bound=bound)
    direct = [sample[percentile] for name, sample in taken if name == DIRECT]
    turns = {}
    for name, sample in taken:
        if name not in (DIRECT, "nats"):
            figure.add(name, sample[percentile] - next(turns.setdefault(name, iter(direct))))
    figure.note = f"the echo server itself: {min(direct):.0f} to {max(direct):.0f} µs"
    return figure


def whole(taken, percentile):
    figure = Figure(f"latency of a call at 1,000 calls/s, from its client to the echo and back, {percentile}", "µs")
    for name, sample in taken:
        figure.add(name, sample[percentile])
    figure.note = "nats: request and reply, with NATS's own C client at both ends (bench/nats.c)"
    return figure


def cpu(taken):
    figure = Figure("CPU per call of one hop at 1,000 calls/s", "µs")
    for name, sample in taken:
        if "cpu" in sample:
            figure.add(name, sample["cpu"])
    return figure


def take(bench, settings):
    call = Call(bench.folder, "bench.echo")
    ftl, ftl_port, echo = start_ftl(bench)
    polling, polling_port, _ = start_ftl(bench, options=POLLING)
    routers = {
        "ftl": (ftl, ftl_port),
        "haproxy": bench.haproxy(echo),
        "bytes only": bench.floor(echo),
        f"ftl {' '.join(POLLING)}": (polling, polling_port),
    }

    def through(process, port):
        before = cpu_seconds(process.pid)
        sample = open_loop(PROGRAMS, port, call, RATE, settings.seconds)
        sample["cpu"] = (cpu_seconds(process.pid) - before) / RATE / (WARM_UP + settings.seconds) * 1e6
        return sample

    takers = {name: lambda router=router: through(*router) for name, router in routers.items()}
    takers[DIRECT] = lambda: open_loop(PROGRAMS, echo, call, RATE, settings.seconds)
    _, nats = bench.nats()
    takers["nats"] = lambda: nats_open_loop(PROGRAMS, nats, RATE, settings.seconds)
    taken = list(settings.turns(takers))
    return (
        [added(taken, *one) for one in ADDED.items()] + [whole(taken, percentile) for percentile in WHOLE] + [cpu(taken)]
    )
