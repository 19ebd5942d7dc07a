"""Waiting for what another process does: poll with a bound, in one place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.02


def eventually(
    probe: Callable[[], T],
    until: Callable[[T], bool] = bool,
    within: float = 20.0,
    what: str = "the condition",
) -> T:
    """Call ``probe`` until ``until`` holds for its answer, and return that answer.

    Raises ``AssertionError`` with the last answer if it never held ``within`` seconds.
    """
    end = time.monotonic() + within
    while True:
        answer = probe()
        if until(answer):
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {within:g} s; last seen: {answer!r}")
        time.sleep(INTERVAL)


async def eventually_async(condition: Callable[[], T], within: float = 20.0) -> T:
    """Turn the event loop until ``condition`` holds, and return what it gave.

    Raises ``TimeoutError`` if it never held ``within`` seconds.
    """
    async with asyncio.timeout(within):
        while True:
            if value := condition():
                return value
            await asyncio.sleep(INTERVAL)
