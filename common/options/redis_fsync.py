"""When Redis forces what it has written to the disk."""

from __future__ import annotations

from common.config import FSYNC_LEVELS, REDIS
from common.options.option import Option, setting
from common.options.values import Choice

OPTION = Option(
    name="redis_fsync",
    about="when Redis forces what it has written to the disk, with store=redis",
    values=Choice(FSYNC_LEVELS),
    default=FSYNC_LEVELS[0],
    apply=setting("redis_fsync"),
    buys="always: an accepted job survives the end of the machine too",
    costs="always: each answer waits for the disk; everysec: a crash of the machine takes the last "
    "second or two; no: what the system had not written yet",
    facts=("redis_fsync", "durability"),
    goes_with={"store": REDIS},
)
