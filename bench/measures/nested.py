# SPDX-License-Identifier: Apache-2.0
"""A verb that calls another, against that one alone: both in C, each on a thread, in a Runner of its own."""

from load import Call, h2load, open_loop
from processes import family_cpu_seconds
from report import Figure
from systems import PROGRAMS


def take(bench, settings):
    backplane, port = bench.backplane("all", threads=1)
    bench.deploy_c(port, "single", "library", on_thread=True)
    bench.deploy_c(port, "nesting", "library", next_module="single")
    calls = {"ftl": Call(bench.folder, "nesting.echo"), "ftl, single": Call(bench.folder, "single.echo")}
    cpu = Figure("CPU per call, nested", "µs", targets={"ftl, single": "≤ 2.2"})
    latency = Figure("latency of a call at 200 calls/s, p50, nested", "µs", targets={"ftl, single": "≤ 2.2"})

    def sample(call):
        count = settings.calls // 4
        h2load(port, call, max(count // 10, 500), which="all")
        before = family_cpu_seconds(backplane.pid)
        h2load(port, call, count, which="all")
        used = (family_cpu_seconds(backplane.pid) - before) / count * 1e6
        return used, open_loop(PROGRAMS, port, call, 200, settings.seconds, which="all")["p50"]

    for name, (micros, p50) in settings.turns({name: lambda call=call: sample(call) for name, call in calls.items()}):
        cpu.add(name, micros)
        latency.add(name, p50)
    return [cpu, latency]
