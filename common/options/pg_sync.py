"""Whether a commit of PostgreSQL waits for the disk."""

from __future__ import annotations

from common.config import POSTGRES, SYNC_LEVELS
from common.options.option import Option, setting
from common.options.values import Choice

OPTION = Option(
    name="pg_sync",
    about="whether a commit of PostgreSQL waits for the disk (synchronous_commit), with "
    "store=postgres",
    values=Choice(SYNC_LEVELS),
    default=SYNC_LEVELS[0],
    apply=setting("pg_sync"),
    buys="on: an accepted job survives the end of the machine too",
    costs="on: each commit waits for the disk; off: the end of PostgreSQL takes what was accepted "
    "in the last 0.6 seconds",
    facts=("pg_sync", "durability"),
    goes_with={"store": POSTGRES},
)
