# SPDX-License-Identifier: Apache-2.0
"""Programs that measure themselves and print the results."""

import re
import subprocess

import systems
from processes import Failed


def numbers(program, pattern):
    """The numbers at the groups of the pattern in the output."""
    done = subprocess.run([systems.PROGRAMS / program], capture_output=True, text=True)
    found = re.search(pattern, done.stdout)
    if done.returncode != 0 or not found:
        raise Failed(f"{program} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return [float(number) for number in found.groups()]
