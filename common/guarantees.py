"""What a task queue guarantees for an accepted job, in words that can be compared.

Our processes publish theirs with what they run with; a server that is not ours has them in a
declaration, in the same words.
"""

from __future__ import annotations

from common.config import PATRONI, POSTGRES, REDIS, SENTINEL, SYNC, Settings

# What an accepted job survives, from least to most.
DURABILITY = {
    "none": "nothing: it is in the memory of a process, and lost when that ends",
    "delayed": "the end of most processes; that of the store takes what it had not written yet",
    "process": "the end of any process, not that of the machine: written, not forced to the disk",
    "disk": "the end of the machine too: on its disk before the submit is answered",
    "replicated": "the loss of a machine: on several before the submit is answered",
}
# How often an accepted job is executed.
DELIVERY = {
    "at-most-once": "once or never",
    "at-least-once": "once, and again after the loss of a worker",
    "exactly-once": "once, with the effects of any other attempt undone or kept apart",
}
# The methods of the contract, sorted.
METHODS = ("CancelJob", "GetJobResult", "GetJobStatus", "ListJobs", "SubmitJob")


def of(settings: Settings) -> dict[str, str]:
    """Return what a process with these settings guarantees, by name."""
    return {
        "durability": _durability(settings),
        "delivery": "at-least-once",
        "methods": ",".join(METHODS),
    }


def _durability(settings: Settings) -> str:
    if settings.store == REDIS and settings.redis_ha == SENTINEL:
        # Who takes over need not have what the primary had answered with.
        return "replicated" if settings.redis_wait else "delayed"
    if settings.store == REDIS:
        return "disk" if settings.redis_fsync == "always" else "process"
    if settings.store == POSTGRES and settings.postgres_ha == PATRONI:
        # A commit that does not wait for the disk waits for no replica either.
        waits = settings.pg_replication == SYNC and settings.pg_sync == "on"
        return "replicated" if waits else "delayed"
    if settings.store == POSTGRES:
        return "disk" if settings.pg_sync == "on" else "delayed"
    return "none"
