# SPDX-License-Identifier: Apache-2.0
"""A Backplane that knows many modules and Runners, against one that knows one of each."""

import json
import subprocess

from load import Call
from measures.hop import cpu_per_call, start_ftl
from processes import pinned
from report import Figure
from systems import PROGRAMS


def take(bench, settings):
    call = Call(bench.folder, "bench.echo")
    few, few_port, _ = start_ftl(bench)
    many, many_port, _ = start_ftl(bench)
    modules, runners = (200, 20) if settings.quick else (10000, 1000)
    bench.runners(many_port, runners, language="crowd")
    bench.fill(many_port, modules, runners)
    cpu = Figure(f"CPU per call with {modules:,} modules and {runners:,} Runners", "µs", targets={"one of each": "≤ 1.05"})
    routers = {"ftl": (many, many_port), "one of each": (few, few_port)}
    takers = {name: lambda r=router: cpu_per_call(*r, call, settings.calls) for name, router in routers.items()}
    update = Figure(f"a change of routes with {modules:,} modules", "µs", bound="≤ 1000")
    for name, (micros, _) in settings.turns(takers):
        cpu.add(name, micros)
        if name == "ftl":
            command = pinned([PROGRAMS / "bench-routes", modules], "router")
            took = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            update.add("ftl", took["make_us"] + took["give_back_us"])
    update.note = "the new table made, and the old one given back"
    return [cpu, update]
