"""What Redis says when it refuses, and what a caller may conclude from it."""

from __future__ import annotations

import pytest

from common.domain.errors import InternalError, StoreFull, StoreUnready, TaskQueueError
from common.stores.redis.errors import translated

SAID = {
    "OOM command not allowed when used memory > 'maxmemory'.": StoreFull,
    "MISCONF Errors writing to the AOF file: No space left on device": StoreFull,
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist": StoreUnready,
    "LOADING Redis is loading the dataset in memory": StoreUnready,
    "BUSY Redis is busy running a script.": StoreUnready,
    "READONLY You can't write against a read only replica.": StoreUnready,
    "MASTERDOWN Link with MASTER is down": StoreUnready,
    "NOREPLICAS Not enough good replicas to write.": StoreUnready,
    "UNBLOCKED force unblock from blocking operation": StoreUnready,
    "NOAUTH Authentication required.": StoreUnready,
    "ERR max number of clients reached": StoreUnready,
}


@pytest.mark.parametrize("said", SAID)
def test_a_refusal_is_definite(said: str) -> None:
    error = translated("redis", Exception(said))
    assert (type(error), error.definite) == (SAID[said], True)


def test_an_error_from_the_midst_of_a_script_leaves_open_what_was_done() -> None:
    error: TaskQueueError = translated("redis", Exception("ERR value is not an integer script: x"))
    assert (type(error), error.definite) == (InternalError, False)
