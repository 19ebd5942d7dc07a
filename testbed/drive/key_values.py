"""Reads options that are given as ``KEY=VALUE``, of a stack as of a plan."""

from __future__ import annotations

from collections.abc import Iterable

from testbed.errors import TestbedError


def read_key_values(
    pairs: Iterable[str],
    example: str,
    error: type[TestbedError] = TestbedError,
    option: str = "--set",
) -> dict[str, str]:
    """Return the values of ``KEY=VALUE`` texts by their keys, of an ``option`` that has several.

    Raises ``error``, with an ``example``, for anything else and for a key that is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key or not value:
            raise error(f"{option} {pair}: not KEY=VALUE", f"for example {option} {example}")
        if key in found:
            raise error(f"{option} {pair}: {key} is given twice")
        found[key] = value
    return found
