# SPDX-License-Identifier: Apache-2.0
"""The name that was probably meant, as src/schema/nearest.c finds it: both sides of a call say the same."""

from __future__ import annotations

from collections.abc import Iterable

WORD_MAX = 64


def nearest(wanted: bytes, names: Iterable[bytes]) -> bytes | None:
    """A third of the letters may differ, in a short word one, but not the only one."""
    least = (0 if len(wanted) < 2 else max(len(wanted) // 3, 1)) + 1
    found = None
    for name in names:
        away = distance(wanted, name, least)
        if away < least:
            least, found = away, name
    return found


def distance(a: bytes, b: bytes, limit: int) -> int:
    """Letters put in, left out, replaced, or swapped with their neighbour; at most `limit`."""
    if len(a) > WORD_MAX or len(b) > WORD_MAX:
        return 0 if a == b else limit
    before_last: list[int] = []
    last = list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            row.append(min(last[j - 1] + (a[i - 1] != b[j - 1]), last[j] + 1, row[j - 1] + 1))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                row[j] = min(row[j], before_last[j - 2] + 1)
        before_last, last = last, row
    return min(last[len(b)], limit)


def near(name: str, names: Iterable[str]) -> str:
    """What a person may have meant by `name`, else what there is."""
    known = list(names)
    found = nearest(name.encode(errors="replace"), [each.encode() for each in known])
    if found is not None:
        return f'did you mean "{found.decode()}"?'
    return "there is " + (", ".join(known[:10]) or "none") + (", …" if len(known) > 10 else "")
