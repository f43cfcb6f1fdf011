# SPDX-License-Identifier: Apache-2.0
"""Time from `ftl deploy` of a built module to its first response, with a warm Runner; and from Runner to alive."""

import json
import time

from report import Figure


def take(bench, settings):
    _, port = bench.backplane("all", threads=1, warm=2)
    figures = []
    for hosted, limit in (("library", 5), ("process", 15)):
        whole = Figure(f"deploy of a built C module to its first answer, {hosted}", "ms", bound="≤ 50")
        start = Figure(f"warm Runner to alive, {hosted}", "ms", bound=f"≤ {limit}")
        for turn in range(settings.rounds + 1):
            name = f"{hosted}{turn}"
            folder = bench.write_c(name, hosted)
            bench.ftl(port, "build", folder)
            time.sleep(0.5)  # until the next Runner is warm
            begin = time.monotonic()
            bench.ftl(port, "deploy", "--no-build", folder)
            bench.ftl(port, "call", f"{name}.echo", '{"text":"x"}')
            took = (time.monotonic() - begin) * 1000
            if turn == 0:
                continue  # nothing was warm yet
            whole.add("ftl", took)
            deployments = json.loads(bench.ftl(port, "status", "-o", "json"))["deployments"]
            one = next(one for one in deployments if one["module"] == name)
            start.add("ftl", (one["fetch_us"] + one["start_us"]) / 1000)
        figures += [whole, start]
    return figures
