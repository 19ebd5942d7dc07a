"""The metadata that travels with every call."""

from __future__ import annotations

from collections.abc import Mapping

from common.context import MAX_CORRELATION_IDS

CALLER = "x-taskqueue-caller"
# The secret of the stack, by which a caller that is no client proves itself.
PROOF = "x-taskqueue-secret"
CORRELATION_ID = "x-correlation-id"
MAX_CORRELATION_ID = 64


def of(pairs: object) -> dict[str, str]:
    """Return the metadata of a call by key: text, but bytes under a key that ends with ``-bin``."""
    if not pairs:
        return {}
    return dict(pairs)  # type: ignore[call-overload, no-any-return]


def correlation_of(pairs: Mapping[str, str]) -> str:
    """Return the correlation id that came along; empty for none, or one that cannot be sent on."""
    longest = MAX_CORRELATION_IDS if pairs.get(CALLER) else MAX_CORRELATION_ID
    given = pairs.get(CORRELATION_ID, "")[:longest]
    return given if given.isascii() and given.isprintable() else ""
