"""Asks the databases of a stack once a second how they are, and writes it down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from common.process_spec import POSTGRES, REDIS, REDIS_CACHE
from testbed.drive.servers.page import Asked
from testbed.drive.servers.postgres import PostgresAsked
from testbed.drive.servers.redis import RedisAsked
from testbed.record.metrics import SERVERS, MetricLog
from testbed.stack.ports import HOST
from testbed.stack.records import ProcessRecord, StackRecord

__all__ = ["INTERVAL", "SERVERS", "ServerWatch"]

INTERVAL = 1.0
# An answer that takes longer is none: the next question is due.
WITHIN = 0.9

_ASKS: Mapping[str, Callable[[str, int, float], Asked]] = {
    POSTGRES: PostgresAsked,
    REDIS: RedisAsked,
    REDIS_CACHE: RedisAsked,
}


class ServerWatch:
    """A thread that writes what each database of a stack says of itself to ``servers.jsonl.gz``.

    One that does not answer in time is recorded as that, and asked again. A stack without any costs
    nothing and leaves no file. A context manager: leaving it stops the thread and raises what went
    wrong in it.
    """

    def __init__(self, folder: Path, stack: StackRecord, interval: float = INTERVAL) -> None:
        self._folder = folder
        self._servers = [each for each in stack.processes if each.service in _ASKS]
        self._interval = interval
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="servers", daemon=True)

    def __enter__(self) -> Self:
        if self._servers:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with MetricLog(self._folder, SERVERS) as log:
                asyncio.run(self._watch(log))
                log.cost(time.time(), time.thread_time())
        except BaseException as error:  # the thread that drives raises it
            self._error = error

    async def _watch(self, log: MetricLog) -> None:
        asked = {each.name: _asked(each) for each in self._servers}
        due = time.monotonic()
        while not self._stop.is_set():
            await asyncio.gather(*(_ask(log, name, each) for name, each in asked.items()))
            due = max(due + self._interval, time.monotonic())
            await asyncio.to_thread(self._stop.wait, due - time.monotonic())
        for each in asked.values():
            await each.close()


def _asked(record: ProcessRecord) -> Asked:
    return _ASKS[record.service](HOST, record.port, WITHIN)


async def _ask(log: MetricLog, name: str, asked: Asked) -> None:
    before = time.time()
    try:
        async with asyncio.timeout(WITHIN):
            page = await asked.page()
    except Exception as error:  # a server that is broken fails in every way
        await asked.close()
        log.failed(time.time(), name, f"{type(error).__name__}: {error}")
    else:
        took = time.time() - before
        log.answered(before + took / 2, name, took, page)
