# SPDX-License-Identifier: Apache-2.0
"""A verb that calls another, against the other one alone: both in C, each in its own Runner; on the loop, and on threads."""

from load import Call, h2load, open_loop
from processes import family_cpu_seconds
from report import Figure
from systems import PROGRAMS


def take(bench, settings):
    backplane, port = bench.backplane("all", threads=1)
    figures = []
    for where, on_thread in (("on the loop", False), ("on threads", True)):
        single, nesting = ("single1", "nesting1") if on_thread else ("single", "nesting")
        bench.deploy_c(port, single, "library", on_thread=on_thread)
        bench.deploy_c(port, nesting, "library", next_module=single, on_thread=on_thread)
        calls = {"ftl": Call(bench.folder, f"{nesting}.echo"), "ftl, single": Call(bench.folder, f"{single}.echo")}
        cpu = Figure(f"CPU per call, nested, {where}", "µs", targets={"ftl, single": "≤ 2.2"})
        latency = Figure(f"latency of a call at 200 calls/s, p50, nested, {where}", "µs", targets={"ftl, single": "≤ 2.2"})

        def sample(call):
            count = settings.calls // 4
            h2load(port, call, max(count // 10, 500), which="all")
            before = family_cpu_seconds(backplane.pid)
            h2load(port, call, count, which="all")
            used = (family_cpu_seconds(backplane.pid) - before) / count * 1e6
            return used, open_loop(PROGRAMS, port, call, 200, settings.seconds, which="all")["p50"]

        takers = {name: lambda call=call: sample(call) for name, call in calls.items()}
        for name, (micros, p50) in settings.turns(takers):
            cpu.add(name, micros)
            latency.add(name, p50)
        figures += [cpu, latency]
    return figures
