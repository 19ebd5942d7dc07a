"""Reads what ``--set`` is given, of a stack as of a plan."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.errors import TestbedError


def read_key_values(
    pairs: Iterable[str], example: str, error: type[TestbedError] = TestbedError
) -> dict[str, str]:
    """Return the values of ``KEY=VALUE`` texts by their keys.

    Raises ``error``, with an ``example``, for anything else and for a key that is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key or not value:
            raise error(f"--set {pair}: not KEY=VALUE", f"for example --set {example}")
        if key in found:
            raise error(f"--set {pair}: {key} is given twice")
        found[key] = value
    return found
