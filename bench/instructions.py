# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of a call with callgrind: the same on a busy machine as on an idle one.

bench/instructions.txt holds the accepted figures. A change that makes one grow changes the file in the same commit.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import systems
from load import Call, h2load
from processes import Failed

ACCEPTED = Path(__file__).with_name("instructions.txt")
GROWTH = 1.05
FEW, MANY = 500, 2500
CALLGRIND = ["valgrind", "--tool=callgrind", "--quiet"]


def total_of(path):
    return int(re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.MULTILINE).group(1))


def hop(bench, output, count):
    """The Backplane on the way to a Runner."""
    prefix = [*CALLGRIND, f"--callgrind-out-file={output}"]
    backplane, port = bench.backplane("all", prefix=prefix)
    bench.runners(port, which="all")
    bench.deploy_simulated(port)
    h2load(port, Call(bench.folder, "bench.echo"), count, connections=1, which="all")
    return backplane


def library(bench, output, count):
    """The Runner with a verb of a shared object."""
    _, port = bench.backplane("all")
    prefix = [*CALLGRIND, f"--callgrind-out-file={output}"]
    runner = bench.runner(port, "c", prefix=prefix)
    bench.deploy_c(port, "inside", "library")
    h2load(port, Call(bench.folder, "inside.echo"), count, connections=1, which="all")
    return runner


def count_once(scene, count):
    with tempfile.TemporaryDirectory(prefix="ftl-bench-") as folder, systems.Bench(folder) as bench:
        output = bench.folder / "callgrind.out"
        scene(bench, output, count).stop()
        return total_of(output)


def per_call(scene, enough=0):
    """Instructions of a call: the difference of two runs, so that start and end cancel out. Repeats a run above enough."""
    counts = []
    while not counts or (len(counts) < 2 and enough and counts[0] > enough):
        counts.append((count_once(scene, MANY) - count_once(scene, FEW)) // (MANY - FEW))
    return min(counts)


def read_accepted():
    pairs = (line.split() for line in ACCEPTED.read_text().splitlines() if line and not line.startswith("#"))
    return {name: int(number) for name, number in pairs}


def write_accepted(counted):
    lines = ["# Instructions of user code for a call of 1 KiB; script/bench --instructions --update"]
    ACCEPTED.write_text("\n".join(lines + [f"{name} {number}" for name, number in counted.items()]) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="script/bench --instructions", description=__doc__)
    parser.add_argument("--instructions", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help="fail when a figure has grown by more than 5%%")
    parser.add_argument("--update", action="store_true", help="write the figures to bench/instructions.txt")
    given = parser.parse_args()
    accepted = read_accepted() if ACCEPTED.exists() else {}
    counted = {scene.__name__: per_call(scene, accepted.get(scene.__name__, 0) * GROWTH) for scene in (hop, library)}
    if given.update:
        write_accepted(counted)
        accepted = counted
    grown = False
    for name, number in counted.items():
        before = accepted.get(name)
        ratio = f"{number / before:6.3f} of {before:,}" if before else "not in the file yet"
        grown |= before is not None and number > before * GROWTH
        print(f"{name:10}{number:>10,} instructions a call  {ratio}")
    if grown and given.check:
        print("A call costs more than 5% more than before. If it must: script/bench --instructions --update", file=sys.stderr)
    return 1 if grown and given.check else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
