# SPDX-License-Identifier: Apache-2.0
"""The same hop with TLS towards the client."""

import subprocess

from load import Call
from measures.hop import cpu_per_call, start_ftl
from processes import Failed
from report import Figure
from systems import FTL, certificate


def take(bench, settings):
    help_text = subprocess.run([FTL, "serve", "--help"], capture_output=True, text=True).stdout
    if "--tls-cert" not in help_text:
        raise Failed("left out, as ftl serve has no TLS of its own yet")
    call = Call(bench.folder, "bench.echo")
    cert, key, _ = certificate(bench.folder)
    ftl, ftl_port, echo = start_ftl(bench, options=["--tls-cert", cert, "--tls-key", key])
    routers = {"ftl": (ftl, ftl_port), "haproxy": bench.haproxy(echo, tls=True)}
    cpu = Figure("CPU per call of one hop with TLS, 16 connections, one thread", "µs", targets={"haproxy": "≤ 0.9"})
    takers = {
        name: lambda router=router: cpu_per_call(*router, call, settings.calls, tls=True)
        for name, router in routers.items()
    }
    for name, (micros, _) in settings.turns(takers):
        cpu.add(name, micros)
    return [cpu]
