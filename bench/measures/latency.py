# SPDX-License-Identifier: Apache-2.0
"""What a hop adds to the time of a call at 1,000 calls a second on 16 connections, due or not."""

from load import Call, open_loop
from measures.hop import start_ftl
from report import Figure
from systems import PROGRAMS

PERCENTILES = {"p50": 150, "p90": None, "p99": 600, "p999": None}


def take(bench, settings):
    call = Call(bench.folder, "bench.echo")
    _, ftl_port, echo = start_ftl(bench)
    _, haproxy = bench.haproxy(echo)
    _, floor = bench.floor(echo)
    ports = {"echo server itself": echo, "ftl": ftl_port, "haproxy": haproxy, "bytes only": floor}
    takers = {
        name: lambda port=port: open_loop(PROGRAMS, port, call, 1000, settings.seconds) for name, port in ports.items()
    }
    taken = list(settings.turns(takers))
    figures = []
    for percentile, limit in PERCENTILES.items():
        figure = Figure(f"latency added at 1,000 calls/s, {percentile}", "µs", bound=f"≤ {limit}" if limit else "")
        direct = [sample[percentile] for name, sample in taken if name == "echo server itself"]
        turns = {name: iter(direct) for name in ports if name != "echo server itself"}
        for name, sample in taken:
            if name in turns:
                figure.add(name, sample[percentile] - next(turns[name]))
        figure.note = f"the echo server itself: {min(direct):.0f} to {max(direct):.0f} µs"
        figures.append(figure)
    return figures
