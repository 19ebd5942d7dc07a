"""Kind ``noop``: does nothing, so that what remains is the cost of the queue."""

from __future__ import annotations

from common.handlers.registry import Handler


def parse(_payload: bytes) -> None:
    """Accept any payload."""


async def run(_params: None) -> bytes:
    """Return the empty output."""
    return b""


HANDLER = Handler("noop", "does nothing; the payload is ignored", parse, run)
