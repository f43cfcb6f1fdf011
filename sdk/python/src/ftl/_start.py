# SPDX-License-Identifier: Apache-2.0
"""The start of a module's program: what ftl.main() does first, and what is said when nothing calls it."""

import atexit
import os
import sys

from ftl._verbs import has_verbs, is_reading

_began = False


def began() -> None:
    """Called when ftl.main() begins."""
    global _began
    _began = True
    hold_streams()


def hold_streams() -> None:
    """
    Opens /dev/null in place of each standard stream that is closed. A closed stream would lend its number to the next
    file or socket, and what C code or another program prints would be written into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(number, True)


def report_without_main() -> None:
    """Says what is missing when FTL has started a program that declares verbs and ends without serving them."""
    crashed = hasattr(sys, "last_value")
    if _began or crashed or is_reading() or not has_verbs() or "FTL_BIND" not in os.environ:
        return
    program = os.path.basename(sys.argv[0])
    print(
        f"ftl: {program} has ended without ftl.main(), which serves its verbs. Write at the end of the file:\n"
        'if __name__ == "__main__":\n'
        "    ftl.main()",
        file=sys.stderr,
    )


atexit.register(report_without_main)
