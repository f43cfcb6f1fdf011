# SPDX-License-Identifier: Apache-2.0
"""Time to parse, check and compare the schemas of a thousand modules of twenty verbs."""

import programs
from report import Figure


def take(bench, settings):
    figure = Figure("schemas of 1,000 modules of 20 verbs: parse, check and compare, CPU", "ms", bound="≤ 200")
    for _ in range(settings.rounds):
        figure.add("ftl", *programs.numbers("bench-schemas", r"together (\d+) ms"))
    return [figure]
