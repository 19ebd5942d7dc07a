"""When others are notified that there is something to take."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.stores.postgres import waiters
from common.stores.postgres.connection import Connection
from common.stores.postgres.members import Members
from common.stores.postgres.waiters import Waking

TURNS = 20


class Notified:
    """Takes notifications, and answers the first of them when a test says so."""

    def __init__(self) -> None:
        self.count = 0
        self.answer = asyncio.Event()

    async def rows(self, *_: Any) -> list[Any]:
        self.count += 1
        await self.answer.wait()
        return []


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Notified:
    monkeypatch.setattr(waiters, "AWAKE", 3600.0)
    return Notified()


@pytest.fixture
async def waking(others: Notified) -> Any:
    members = SimpleNamespace(others_wait=True)
    waking = Waking(cast(Connection, others), cast(Members, members))
    waking.wake()
    await _turns()
    yield waking
    waking.close()


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("pressing", "sent"), [(True, 2), (False, 1)])
async def test_wake_up_during_a_notification_follows_it_at_once_only_if_it_is_pressing(
    waking: Waking, others: Notified, pressing: bool, sent: int
) -> None:
    waking.wake(pressing)
    assert others.count == 1
    others.answer.set()
    await _turns()
    assert others.count == sent


async def test_nobody_is_notified_after_the_end(waking: Waking, others: Notified) -> None:
    others.answer.set()
    await _turns()
    waking.close()
    waking.wake()
    await _turns()
    assert others.count == 1
