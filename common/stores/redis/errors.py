"""What an error of Redis means to the task queue."""

from __future__ import annotations

from common.domain.errors import InternalError, StoreFull, StoreUnready, TaskQueueError

# Redis says these before it begins.
_FULL = ("OOM",)
_REFUSALS = (
    *("LOADING", "BUSY", "READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF", "CLUSTERDOWN"),
    *("NOAUTH", "WRONGPASS", "NOPERM", "UNBLOCKED", "ERR max number of clients"),
)
_NO_SPACE = "No space left on device"


def translated(store: str, error: Exception) -> TaskQueueError:
    """Return the error of the task queue for an answer of the Redis named ``store``.

    One that is not known as a refusal may have come from the midst of a script.
    """
    said = str(error)
    if said.startswith(_FULL) or (said.startswith("MISCONF") and _NO_SPACE in said):
        return StoreFull(store, said)
    if said.startswith(_REFUSALS):
        return StoreUnready(store, said)
    return InternalError(f"{store}: {said}")
