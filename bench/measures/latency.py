# SPDX-License-Identifier: Apache-2.0
"""The time of a call at 1,000 calls a second on 16 connections, due or not: what a hop adds to it, and all of it.

A router stands between a client and a server that could do without, so what it adds can be told. A request over NATS
cannot do without its server, so there is only the whole.
"""

from load import Call, nats_open_loop, open_loop
from measures.hop import start_ftl
from report import Figure
from systems import PROGRAMS

DIRECT = "echo server itself"
RATE = 1000
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


def take(bench, settings):
    call = Call(bench.folder, "bench.echo")
    _, ftl, echo = start_ftl(bench)
    ports = {DIRECT: echo, "ftl": ftl, "haproxy": bench.haproxy(echo)[1], "bytes only": bench.floor(echo)[1]}
    takers = {
        name: lambda port=port: open_loop(PROGRAMS, port, call, RATE, settings.seconds) for name, port in ports.items()
    }
    _, nats = bench.nats()
    takers["nats"] = lambda: nats_open_loop(PROGRAMS, nats, RATE, settings.seconds)
    taken = list(settings.turns(takers))
    return [added(taken, *one) for one in ADDED.items()] + [whole(taken, percentile) for percentile in WHOLE]
