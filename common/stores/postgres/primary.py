"""Which of several copies of a database is the primary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

SECONDS = 2.0
"""How long all copies together may take to say who the primary is."""

Open = Callable[[str], Coroutine[Any, Any, Any]]


class NoPrimary(ConnectionError):
    """None of the copies that answered in time is the primary."""


async def connect(dsns: Sequence[str], open_one: Open) -> Any:
    """Return a connection to the primary, whichever copy that is.

    All are asked at once: one that stands still does not refuse, but keeps who asks waiting. Where
    there is one server, it is connected to and nothing is asked. Raises :class:`NoPrimary`, and
    where there is one server, whatever ``open_one`` raises.
    """
    if len(dsns) == 1:
        return await open_one(dsns[0])
    asked = [asyncio.create_task(_primary(open_one, dsn)) for dsn in dsns]
    chosen = None
    try:
        async with asyncio.timeout(SECONDS):
            chosen = await _first(asked)
    except TimeoutError:
        pass
    finally:
        for each in asked:
            each.cancel()
            each.add_done_callback(lambda done: _give_up(done, chosen))
    if chosen is None:
        raise NoPrimary("no copy that answers is the primary")
    return chosen


async def _first(asked: Sequence[asyncio.Task[Any]]) -> Any | None:
    """Return the first connection that there is, none if each copy has answered otherwise."""
    waiting = set(asked)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            if each.exception() is None and (found := each.result()) is not None:
                return found
    return None


async def _primary(open_one: Open, dsn: str) -> Any | None:
    connection = await open_one(dsn)
    # Every server reports it when a session begins, and whenever it changes.
    if connection.get_settings().in_hot_standby == "off":
        return connection
    connection.terminate()
    return None


def _give_up(asked: asyncio.Task[Any], chosen: Any | None) -> None:
    """Close what was opened besides."""
    if not asked.cancelled() and asked.exception() is None:
        found = asked.result()
        if found is not None and found is not chosen:
            found.terminate()
