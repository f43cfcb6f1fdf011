# SPDX-License-Identifier: Apache-2.0
"""Backplane, Runner and a verb in C on two cores, against HAProxy twice and nghttpd. All share the cores with h2load."""

from load import Call, h2load
from processes import family_cpu_seconds
from report import Figure


def take(bench, settings):
    _, server = bench.nghttpd("all")
    second, second_port = bench.haproxy(server, "all", threads=2)
    first, first_port = bench.haproxy(second_port, "all", threads=2)
    echo, echo_port = bench.echo("all")
    fourth, fourth_port = bench.haproxy(echo_port, "all", threads=2)
    third, third_port = bench.haproxy(fourth_port, "all", threads=2)
    backplane, port = bench.backplane("all", threads=2)
    bench.deploy_c(port, "inside", "library")
    bench.deploy_c(port, "child", "process")
    chains = {
        "ftl": (port, Call(bench.folder, "inside.echo"), [backplane]),
        "ftl, child process": (port, Call(bench.folder, "child.echo"), [backplane]),
        "haproxy twice": (first_port, Call(bench.folder, "bench.echo"), [first, second, bench.started[0]]),
        # nghttpd keeps what it echoes in a file; bench-echo does not.
        "haproxy twice, echo": (third_port, Call(bench.folder, "bench.echo"), [third, fourth, echo]),
    }
    rates = Figure("calls through two hops, 2 cores, 16 connections × 32 streams", "1/s")
    cpu = Figure("CPU per call of all processes of the chain but the client", "µs")
    rates.targets = {"haproxy twice": "≥ 2"}

    def sample(at, call, processes):
        h2load(at, call, max(settings.calls // 10, 500), streams=32, which="all")
        before = sum(family_cpu_seconds(process.pid) for process in processes)
        rate = h2load(at, call, settings.calls, streams=32, which="all")
        used = sum(family_cpu_seconds(process.pid) for process in processes) - before
        return rate, used / settings.calls * 1e6

    takers = {name: lambda chain=chain: sample(*chain) for name, chain in chains.items()}
    for name, (rate, micros) in settings.turns(takers):
        rates.add(name, rate)
        cpu.add(name, micros)
    child = Figure("the same with the verb in a child process", "1/s", targets={"haproxy twice": "≥ 1.3"})
    child.samples = {"ftl": rates.samples["ftl, child process"], "haproxy twice": rates.samples["haproxy twice"]}
    return [rates, child, cpu]
