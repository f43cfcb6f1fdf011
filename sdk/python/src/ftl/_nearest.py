# SPDX-License-Identifier: Apache-2.0
"""Suggests the nearest known name for an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

WORD_MAX = 64


def near(name: str, names: Iterable[str]) -> str:
    """Asks whether the nearest of `names` was meant; lists `names` when none is near."""
    from difflib import get_close_matches  # imported late, as few modules need it

    known = list(names)
    found = get_close_matches(name, known, 1, 0.65) if 1 < len(name) <= WORD_MAX else []
    if found:
        return f'did you mean "{found[0]}"?'
    return "there is " + (", ".join(known[:10]) or "none") + (", …" if len(known) > 10 else "")
