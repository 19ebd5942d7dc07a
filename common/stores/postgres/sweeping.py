"""Deleting what is kept no longer, in batches."""

from __future__ import annotations

from typing import Any

from common.stores.postgres.connection import Connection
from common.stores.postgres.marks import LowMark

BATCH = 1000
"""Rows of a statement: it takes some ten milliseconds, and its locks no longer."""
BATCHES = 10
"""Statements of a sweep, of which there is one a second."""


async def sweep(connection: Connection, statement: str, over: int, low: LowMark) -> list[Any]:
    """Delete what is over at ``over``, in order; returns what the statements say of it.

    A statement has the arguments ``over``, where it begins, and how many rows it may delete; the
    rows that it returns stand for one deleted row each, or for the ``number`` that they have.
    """
    found: list[Any] = []
    for _ in range(BATCHES):
        begin = low.begin()
        rows = await connection.rows("sweep", statement, over, begin, BATCH)
        low.ended(begin)
        found += rows
        if sum(row.get("number", 1) for row in rows) < BATCH:
            low.note(over)
            break
    return found
