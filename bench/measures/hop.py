# SPDX-License-Identifier: Apache-2.0
"""What one router costs: 16 connections with a call each, one thread, the same echo server behind all."""

from load import Call, h2load
from processes import family_cpu_seconds
from report import Figure
from systems import find_envoy

TARGETS = {"haproxy": "≤ 0.8", "nginx": "≤ 0.3", "envoy": "≤ 0.3"}


def cpu_per_call(process, port, call, count, **load):
    """Microseconds of user and system time of the process for a call, and the calls in a second."""
    h2load(port, call, max(count // 10, 500), **load)
    before = family_cpu_seconds(process.pid)
    rate = h2load(port, call, count, **load)
    return (family_cpu_seconds(process.pid) - before) / count * 1e6, rate


def start_ftl(bench, **backplane):
    """A Backplane with one thread and a simulated Runner that echoes."""
    process, port = bench.backplane(**backplane)
    _, echo_port = bench.runners(port)
    bench.deploy_simulated(port)
    return process, port, echo_port


def take(bench, settings):
    call = Call(bench.folder, "bench.echo")
    ftl, ftl_port, echo = start_ftl(bench)
    routers = {"ftl": (ftl, ftl_port), "haproxy": bench.haproxy(echo), "nginx": bench.nginx(echo)}
    if find_envoy():
        routers["envoy"] = bench.envoy(echo)
    routers["bytes only"] = bench.floor(echo)
    figures = []
    for streams in (1, 32):
        shape = f"16 connections × {streams} stream{'s' if streams > 1 else ''}, one thread"
        cpu = Figure(f"CPU per call of one hop, {shape}", "µs", targets=TARGETS if streams == 1 else {})
        rates = Figure(f"calls through one hop, {shape}", "1/s")
        cpu.note = "bytes only: the system calls alone, without looking at what passes (bench/floor.c)"
        takers = {
            name: lambda router=router: cpu_per_call(*router, call, settings.calls, streams=streams)
            for name, router in routers.items()
        }
        for name, (micros, rate) in settings.turns(takers):
            cpu.add(name, micros)
            rates.add(name, rate)
        figures += [cpu, rates]
    return figures
