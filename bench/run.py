# SPDX-License-Identifier: Apache-2.0
"""Runs the measures of script/bench."""

import argparse
import importlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import report
import systems
from processes import CORES, Failed

MEASURES = ["hop", "tls", "chain", "latency", "nested", "scale", "body", "upload", "start", "memory", "json", "schemas"]


class Settings:
    """The extent of a run; --quick only shows that everything works."""

    def __init__(self, quick, rounds):
        self.rounds = rounds or (1 if quick else 5)
        self.calls = 2000 if quick else 40000
        self.seconds = 1 if quick else 5
        self.quick = quick

    def turns(self, takers):
        """Takes one sample of each in turn, so that other load on the machine affects all alike."""
        for _ in range(self.rounds):
            for name, take in takers.items():
                yield name, take()


def about():
    versions = {}
    for name, command in {
        "haproxy": ["haproxy", "-v"],
        "nginx": ["nginx", "-v"],
        "nghttpd": ["nghttpd", "--version"],
        "nats-server": ["nats-server", "--version"],
        "h2load": ["h2load", "--version"],
        "envoy": [systems.find_envoy() or "envoy", "--version"],
        "ftl": [systems.FTL, "--version"],
    }.items():
        if name == "ftl" or shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True)
            versions[name] = next((line for line in (done.stdout + done.stderr).splitlines() if line.strip()), "")
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":")
    return {"machine": model.split(":")[1].strip(), "cores": len(CORES), "kernel": platform.release(), "versions": versions}


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help="one of " + ", ".join(MEASURES) + "; all of them")
    parser.add_argument("-o", dest="output", choices=["table", "json"], default="table")
    parser.add_argument("--rounds", type=int, help="samples of each system; 5")
    parser.add_argument("--quick", action="store_true", help="one small sample of each: shows only that it works")
    given = parser.parse_args()
    unknown = set(given.measures) - set(MEASURES)
    if unknown:
        parser.error(f"there is no measure {unknown.pop()}; there are {', '.join(MEASURES)}")
    settings = Settings(given.quick, given.rounds)
    figures, failed = [], False
    for name in given.measures or MEASURES:
        print(f"bench: {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="ftl-bench-") as folder, systems.Bench(folder) as bench:
            try:
                taken = importlib.import_module(f"measures.{name}").take(bench, settings)
            except Failed as error:
                print(f"bench: {name}: {error}", file=sys.stderr)
                failed = True
                continue
        figures += taken
        if given.output == "table":
            report.print_table(taken)
            sys.stdout.flush()
    if given.output == "json":
        report.print_json(figures, about())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
