"""A connection to whichever of several copies is the primary."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from common.stores.postgres import primary

COPIES = ("one", "two", "three")


class Session:
    def __init__(self, standby: str) -> None:
        self.standby, self.closed = standby, False

    def get_settings(self) -> SimpleNamespace:
        return SimpleNamespace(in_hot_standby=self.standby)

    def terminate(self) -> None:
        self.closed = True


class Servers:
    """What each copy answers: ``on`` for a replica, ``off`` for a primary, nothing, or never."""

    def __init__(self, **answers: str | None) -> None:
        self.answers = answers
        self.opened: dict[str, Session] = {}
        self.given_up: list[str] = []

    async def open(self, dsn: str) -> Any:
        answer = self.answers[dsn]
        if answer is None:
            raise ConnectionRefusedError
        if answer == "never":
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.append(dsn)
        self.opened[dsn] = Session(answer)
        return self.opened[dsn]

    def left_open(self) -> list[str]:
        return [dsn for dsn, session in self.opened.items() if not session.closed]


async def connect(servers: Servers) -> Any:
    try:
        return await primary.connect(COPIES, servers.open)
    finally:
        # What is closed or given up besides, is so when the loop comes to it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_the_primary_is_found_behind_a_copy_that_is_dead_and_one_that_stands_still() -> None:
    servers = Servers(one="never", two=None, three="off")
    assert await connect(servers) is servers.opened["three"]
    assert servers.given_up == ["one"]


async def test_connections_to_replicas_are_closed() -> None:
    servers = Servers(one="on", two="off", three="on")
    await connect(servers)
    assert servers.left_open() == ["two"]


async def test_of_two_that_take_themselves_for_the_primary_one_is_left_open() -> None:
    servers = Servers(one="off", two="off", three="on")
    await connect(servers)
    assert len(servers.left_open()) == 1


@pytest.mark.parametrize("third", ["on", None, "never"])
async def test_without_a_primary_there_is_no_connection_and_none_is_left_open(
    third: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primary, "SECONDS", 0.05)
    servers = Servers(one="on", two=None, three=third)
    with pytest.raises(primary.NoPrimary):
        await connect(servers)
    assert servers.left_open() == []


async def test_a_single_server_is_not_asked_what_it_is() -> None:
    servers = Servers(one="on")
    assert await primary.connect(("one",), servers.open) is servers.opened["one"]
    servers = Servers(one=None)
    with pytest.raises(ConnectionRefusedError):
        await primary.connect(("one",), servers.open)


async def test_who_is_canceled_while_asking_leaves_nothing_open() -> None:
    servers = Servers(one="never", two="on", three="never")
    asking = asyncio.create_task(primary.connect(COPIES, servers.open))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.sleep(0)
    assert sorted(servers.given_up) == ["one", "three"]
    assert servers.left_open() == []
