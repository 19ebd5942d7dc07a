"""Connections that are lent: few, replaced when they are dead, never lost."""

from __future__ import annotations

import asyncio

import pytest

from common.stores.postgres.pool import Pool


class Connection:
    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True


class Server:
    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.refuses = False

    async def connect(self) -> Connection:
        await asyncio.sleep(0)
        if self.refuses:
            raise ConnectionRefusedError
        self.made.append(Connection())
        return self.made[-1]


async def test_no_more_are_made_than_may_be_however_many_ask() -> None:
    server = Server()
    pool = Pool(server.connect, 2)

    async def use() -> None:
        connection = await pool.take(5)
        await asyncio.sleep(0)
        pool.give_back(connection)

    await asyncio.gather(*(use() for _ in range(50)))
    assert len(server.made) == 2


async def test_dead_ones_are_replaced_and_take_no_place() -> None:
    server = Server()
    pool = Pool(server.connect, 2)
    for _ in range(5):
        taken = [await pool.take(5) for _ in range(2)]
        assert not any(connection.is_closed() for connection in taken)
        taken[0].terminate()
        for connection in taken:
            pool.give_back(connection)
        taken[1].terminate()
    assert len(server.made) == 10


async def test_who_waits_is_served_when_one_that_died_comes_back() -> None:
    server = Server()
    pool = Pool(server.connect, 1)
    taken = await pool.take(5)
    waiting = asyncio.create_task(pool.take(5))
    await asyncio.sleep(0)
    taken.terminate()
    pool.give_back(taken)
    assert not (await waiting).is_closed()


async def test_who_waits_in_vain_takes_no_place_either() -> None:
    server = Server()
    pool = Pool(server.connect, 1)
    taken = await pool.take(5)
    with pytest.raises(TimeoutError):
        await pool.take(0.01)
    leaving, staying = (asyncio.create_task(pool.take(5)) for _ in range(2))
    await asyncio.sleep(0)
    pool.give_back(taken)
    leaving.cancel()
    assert await asyncio.wait_for(staying, 5) is taken


async def test_a_server_that_refuses_is_asked_again_by_the_next() -> None:
    server = Server()
    pool = Pool(server.connect, 1)
    server.refuses = True
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await pool.take(5)
    server.refuses = False
    assert await pool.take(5) is server.made[0]
