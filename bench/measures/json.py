# SPDX-License-Identifier: Apache-2.0
"""A request of 1 KiB from JSON to structs and back: generated C, and handwritten C on jansson, in one thread each."""

import programs
from report import Figure


def take(bench, settings):
    figure = Figure("JSON of 1 KiB, decode and encode, CPU", "µs", targets={"jansson by hand": "≤ 0.2"})
    for _ in range(settings.rounds):
        generated, by_hand = programs.numbers("bench-json", r"generated ([\d.]+) us, jansson by hand ([\d.]+) us")
        figure.add("ftl", generated)
        figure.add("jansson by hand", by_hand)
    return [figure]
