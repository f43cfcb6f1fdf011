# SPDX-License-Identifier: Apache-2.0
"""Draws a flame graph of the time of a hop, from `perf` samples of the Backplane under load.

Widths are shares of samples; a frame stands on its caller. Colours name the library.
"""

import argparse
import html
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import systems
from load import Call, h2load
from measures.hop import start_ftl
from processes import Failed

RATE = 1999  # samples a second
SECONDS = 4
WIDTH, ROW, LEAST = 1200, 17, 1.5  # of the picture, in pixels; narrower frames are left out
GROUPS = [
    ("kernel", "#e8a05c", re.compile(r"\[k\]")),
    ("nghttp2", "#7fb2e5", re.compile(r"nghttp2|inflate|deflate|hd_")),
    ("libuv", "#c9b1e8", re.compile(r"libuv|uv_")),
    ("libc", "#bdbdbd", re.compile(r"libc\.so|ld-linux|libcrypto|libssl")),
    ("ftl", "#8fcf8f", re.compile(r"")),
]


def record(folder, pid, load):
    """Samples of a process while load runs, as lists of frames from the outermost to the innermost."""
    data = folder / "perf.data"
    command = ["perf", "record", "--quiet", "-e", "cpu-clock", "-F", RATE, "--call-graph", "dwarf,16384", "-p", pid, "-o", data]
    perf = subprocess.Popen([*map(str, command), "--", "sleep", str(SECONDS)], stderr=subprocess.PIPE)
    while perf.poll() is None:
        load()
    if perf.returncode != 0:
        raise Failed(f"perf record: {perf.stderr.read().decode()[-500:]}")
    script = ["perf", "script", "--no-inline", "-F", "ip,sym,dso", "-i", str(data)]
    return stacks(subprocess.run(script, check=True, capture_output=True, text=True).stdout)


def stacks(text):
    for block in text.split("\n\n"):
        frames = []
        for line in block.strip().splitlines():
            found = re.match(r"\s*[0-9a-f]+ (.+) \((.*)\)$", line)
            if found:
                name, place = re.sub(r"(\.\w+)+$", "", found.group(1)), found.group(2)
                is_kernel = "kernel" in place or place.endswith(".ko")
                frames.append(f"{name} [k]" if is_kernel else f"{name} {Path(place).name if 'lib' in place else ''}".strip())
        if frames:
            yield frames[::-1]


class Frame:
    def __init__(self):
        self.count = 0
        self.inner = {}

    def add(self, names):
        self.count += 1
        if names:
            self.inner.setdefault(names[0], Frame()).add(names[1:])

    def depth(self):
        return 1 + max((frame.depth() for frame in self.inner.values()), default=0)


def colour_of(name):
    return next(colour for _, colour, words in GROUPS if words.search(name))


def draw(root, title):
    height = (root.depth() + 3) * ROW
    parts = []

    def put(frame, name, left, level, total):
        width = frame.count / total * WIDTH
        if width < LEAST:
            return
        top = height - (level + 1) * ROW
        share = f"{name}: {frame.count / total:.1%}"
        label = html.escape(name[: max(int(width / 6.6) - 1, 0)])
        parts.append(
            f'<g><title>{html.escape(share)}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" '
            f'fill="{colour_of(name)}"/>' + (f'<text x="{left + 2:.1f}" y="{top + 12}">{label}</text>' if label else "") + "</g>"
        )
        for inner_name, inner in sorted(frame.inner.items()):
            put(inner, inner_name, left, level + 1, total)
            left += inner.count / total * WIDTH

    left = 0.0
    for name, frame in sorted(root.inner.items()):
        put(frame, name, left, 0, root.count)
        left += frame.count / root.count * WIDTH
    legend = "".join(
        f'<rect x="{500 + i * 90}" y="5" width="12" height="12" fill="{colour}"/><text x="{516 + i * 90}" y="15">{group}</text>'
        for i, (group, colour, _) in enumerate(GROUPS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">'
        f'<rect width="100%" height="100%" fill="#ffffff"/><text x="4" y="15">{html.escape(title)}</text>{legend}'
        + "\n".join(parts)
        + "</svg>\n"
    )


def print_shares(samples):
    """By the innermost frame."""
    counts = {group: 0 for group, _, _ in GROUPS}
    for frames in samples:
        counts[next(group for group, _, words in GROUPS if words.search(frames[-1]))] += 1
    for group, count in counts.items():
        print(f"{group:10}{count / len(samples):6.1%}")


def main():
    parser = argparse.ArgumentParser(prog="script/bench --profile", description=__doc__)
    parser.add_argument("--profile", metavar="FILE.svg", required=True, help="the file to write")
    parser.add_argument("--streams", type=int, default=1, help="calls at a time on each of 16 connections; 1")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ftl-bench-") as folder, systems.Bench(folder) as bench:
        try:
            backplane, port, _ = start_ftl(bench)
            call = Call(bench.folder, "bench.echo")
            samples = list(record(Path(folder), backplane.pid, lambda: h2load(port, call, 20000, streams=given.streams)))
        except Failed as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    root = Frame()
    for frames in samples:
        root.add(frames)
    Path(given.profile).write_text(draw(root, f"a hop, 16 connections × {given.streams}, {len(samples):,} samples"))
    print_shares(samples)
    print(f"{given.profile} is the flame graph")
    return 0


if __name__ == "__main__":
    sys.exit(main())
