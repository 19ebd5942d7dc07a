"""The rules of result payloads, in every store."""

from __future__ import annotations

from common.domain.errors import ResultLost
from common.domain.job import Execution
from tests.support.stores import OpenStore


async def test_first_write_of_a_result_wins(open_store: OpenStore) -> None:
    results = open_store().results()
    first = Execution("a", 1)
    assert await results.store([(first, b"one"), (Execution("b", 1), b"")]) == [True, True]
    assert await results.store([(first, b"two")]) == [False]
    assert await results.get([first, Execution("b", 1)]) == [b"one", b""]


async def test_attempts_do_not_share_a_result(open_store: OpenStore) -> None:
    results = open_store().results()
    await results.store([(Execution("a", 1), b"one")])
    (answer,) = await results.get([Execution("a", 2)])
    assert isinstance(answer, ResultLost)


async def test_any_bytes_are_kept(open_store: OpenStore) -> None:
    results = open_store().results()
    output = bytes(range(256)) * 4096
    await results.store([(Execution("a", 1), output)])
    assert await results.get([Execution("a", 1)]) == [output]
