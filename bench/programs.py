# SPDX-License-Identifier: Apache-2.0
"""Programs that measure by themselves and print what came out."""

import re
import subprocess

import systems
from processes import Failed


def numbers(program, pattern):
    """Those that it printed where the pattern has them."""
    done = subprocess.run([systems.PROGRAMS / program], capture_output=True, text=True)
    found = re.search(pattern, done.stdout)
    if done.returncode != 0 or not found:
        raise Failed(f"{program} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return [float(number) for number in found.groups()]
