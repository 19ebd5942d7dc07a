"""The processes that this one has started."""

from __future__ import annotations

import contextlib

import psutil


def children_with(word: str) -> list[psutil.Process]:
    """Return the children that have a word in their command line; a zombie has no such line.

    Another test may have left one that nobody has waited for yet.
    """
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if word in " ".join(each.cmdline()):
                found.append(each)
    return found
