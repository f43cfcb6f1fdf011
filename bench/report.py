# SPDX-License-Identifier: Apache-2.0
"""Results: samples by system, and their table."""

import json
import statistics
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One quantity of several systems, sampled in turn."""

    title: str
    unit: str
    samples: dict = field(default_factory=dict)  # system -> [value]
    targets: dict = field(default_factory=dict)  # system -> "≤ 0.8": the bound of ftl's median divided by the system's
    bound: str = ""  # of ftl's median itself
    note: str = ""

    def add(self, system, value):
        self.samples.setdefault(system, []).append(value)

    def median(self, system):
        return statistics.median(self.samples[system])

    def ratio(self, system):
        """ftl ÷ system."""
        base = self.median(system)
        return self.median("ftl") / base if "ftl" in self.samples and base else None

    def rows(self):
        for system, values in self.samples.items():
            own = system.split()[0] == "ftl"  # "ftl --option" as well
            target = self.bound if own else self.targets.get(system, "")
            value = self.median(system) if own else self.ratio(system)
            yield {
                "measure": self.title,
                "unit": self.unit,
                "system": system,
                "median": statistics.median(values),
                "min": min(values),
                "max": max(values),
                "samples": values,
                "ftl_ratio": None if system == "ftl" else self.ratio(system),
                "target": target,
                "met": meets(value, target),
            }


def meets(value, target):
    """Whether "≤ 0.8" or "≥ 2" holds; None without a target."""
    if not target or value is None:
        return None
    sign, limit = target.split()[:2]
    return value <= float(limit) if sign == "≤" else value >= float(limit)


def short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def print_table(figures):
    for figure in figures:
        print(f"\n{figure.title} [{figure.unit}]")
        print(f"  {'':22}{'median':>10}{'min':>10}{'max':>10}  {'ftl ÷ it':>8}  target")
        for row in figure.rows():
            ratio = "" if row["ftl_ratio"] is None else f"{row['ftl_ratio']:.2f}"
            verdict = {None: "", True: "  met", False: "  missed"}[row["met"]]
            numbers = "".join(f"{short(row[key]):>10}" for key in ("median", "min", "max"))
            print(f"  {row['system']:22}{numbers}  {ratio:>8}  {row['target']}{verdict}".rstrip())
        if figure.note:
            print(f"  {figure.note}")


def print_json(figures, about):
    print(json.dumps({**about, "results": [row for figure in figures for row in figure.rows()]}, indent=2))
