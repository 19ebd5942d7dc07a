"""Numbered migrations: what makes the tables, and changes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_215_001  # the advisory lock of those who migrate

# Indexes that only retention needs, and each costs every job something.
_RETENTION = {
    "jobs_ended": "ON jobs (finished) WHERE finished IS NOT NULL",
    "results_stored": "ON results (stored)",
}


async def migrate(connection: Any, retention: bool = False) -> None:
    """Apply the migrations that the database does not have, one process at a time.

    All of them or none. Indexes that only ``retention`` needs are there only with it.
    """
    async with connection.transaction():
        # Building an index may take its time. Nobody waits behind who waits for a lock.
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '3s'")
        await connection.execute("SELECT pg_advisory_xact_lock($1::bigint)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL)"
        )
        known = {row["number"] for row in await connection.fetch("SELECT number FROM migrations")}
        for path in sorted(MIGRATIONS.glob("*.sql")):
            number = int(path.name.partition("_")[0])
            if number not in known:
                await connection.execute(path.read_text(encoding="utf-8"))
                await connection.execute(
                    "INSERT INTO migrations VALUES ($1, $2)", number, path.stem
                )
        await _index(connection, retention)


async def _index(connection: Any, retention: bool) -> None:
    """Make or drop the indexes for retention, without a lock where that was done before."""
    found = {
        row["indexname"]
        for row in await connection.fetch(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
        )
    }
    for name, where in _RETENTION.items():
        if retention and name not in found:
            await connection.execute(f"CREATE INDEX {name} {where}")
        if not retention and name in found:
            await connection.execute(f"DROP INDEX {name}")
