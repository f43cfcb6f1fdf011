# SPDX-License-Identifier: Apache-2.0
"""The cost of one router: 16 connections with a call each, one thread, the same echo server behind all."""

from load import Call, h2load, nats_closed_loop
from processes import family_cpu_seconds
from report import Figure
from systems import PROGRAMS, find_envoy

TARGETS = {"haproxy": "≤ 0.8", "nginx": "≤ 0.3", "envoy": "≤ 0.3"}


def measured(process, run, count):
    """CPU time of the process for a call in microseconds, and the calls a second."""
    run(max(count // 10, 500))
    before = family_cpu_seconds(process.pid)
    rate = run(count)
    return (family_cpu_seconds(process.pid) - before) / count * 1e6, rate


def cpu_per_call(process, port, call, count, **load):
    return measured(process, lambda number: h2load(port, call, number, **load), count)


def nats_cpu_per_call(process, port, count, streams):
    return measured(process, lambda number: nats_closed_loop(PROGRAMS, port, number, streams=streams), count)


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
    nats, nats_port = bench.nats()
    figures = []
    for streams in (1, 32):
        shape = f"16 connections × {streams} stream{'s' if streams > 1 else ''}, one thread"
        cpu = Figure(f"CPU per call of one hop, {shape}", "µs", targets=TARGETS if streams == 1 else {})
        rates = Figure(f"calls through one hop, {shape}", "1/s")
        cpu.note = (
            "bytes only: the system calls alone, without looking at what passes (bench/floor.c); "
            "nats: its server for a request and its reply (bench/nats.c)"
        )
        takers = {
            name: lambda router=router: cpu_per_call(*router, call, settings.calls, streams=streams)
            for name, router in routers.items()
        }
        takers["nats"] = lambda streams=streams: nats_cpu_per_call(nats, nats_port, settings.calls, streams)
        for name, (micros, rate) in settings.turns(takers):
            cpu.add(name, micros)
            rates.add(name, rate)
        figures += [cpu, rates]
    return figures
