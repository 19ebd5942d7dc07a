"""Ports move many items in one call; these take the answer for a call that moves one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from common.domain.errors import TaskQueueError

T = TypeVar("T")


async def only(answers: Awaitable[list[T]]) -> T:
    """Return the one answer."""
    (answer,) = await answers
    return answer


async def only_success(answers: Awaitable[list[T | TaskQueueError]]) -> T:
    """Return the one answer; raise it if it is an error."""
    answer = await only(answers)
    if isinstance(answer, TaskQueueError):
        raise answer
    return answer
