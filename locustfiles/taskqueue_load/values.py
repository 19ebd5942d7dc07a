"""Reads option values from text. Every reader raises ``ValueError`` that says what is possible."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

MAX_WEIGHT = 1000


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a reader of numbers from ``low`` to ``high``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"must be a number from {low:.15g} to {high:.15g}, is {text!r}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``low`` to ``high``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, is {text!r}")
        return value

    return read


def optional(read: Callable[[str], float]) -> Callable[[str], float | None]:
    """Return a reader that takes the empty text for ``None``."""
    return lambda text: read(text) if text else None


def listen(text: str) -> tuple[str, int] | None:
    """Read ``[HOST:]PORT``, this machine alone unless a host is given; ``None`` from nothing."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    try:
        return host or "127.0.0.1", whole(1, 65_535)(port)
    except ValueError:
        raise ValueError(f"must be PORT or HOST:PORT, is {text!r}") from None


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be {' or '.join(words)}, is {text!r}")
        return text.lower()

    return read


def word(text: str) -> str:
    """Read a text that is not empty."""
    if not text:
        raise ValueError("must not be empty")
    return text


def weights(text: str, names: Sequence[str]) -> dict[str, int]:
    """Read ``name=weight,...``; the result has every name, with 0 for those left out."""
    read = whole(0, MAX_WEIGHT)
    given: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, separator, weight = (each.strip() for each in part.partition("="))
        if name not in names:
            raise ValueError(f"unknown operation {name!r}; known are {', '.join(names)}")
        if not separator:
            raise ValueError(f"{name} has no weight; write for example {name}=10")
        if name in given:
            raise ValueError(f"{name} is given twice")
        try:
            given[name] = read(weight)
        except ValueError as error:
            raise ValueError(f"the weight of {name} {error}") from None
    if not any(given.values()):
        raise ValueError("no operation has a weight above 0; write for example submit=1,status=2")
    return {name: given.get(name, 0) for name in names}
