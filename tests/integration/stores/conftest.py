"""A Redis of a test's own, to be paused, killed and started again, and a store in it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.services import redis
from common.stores.redis import RedisStore
from tests.support.owners import HandClock
from tests.support.ports import free_port
from tests.support.stores import Asked, settings_of
from tests.support.waiting import eventually


class Server:
    """A Redis that a stack would run, in ``folder``; its process can be treated badly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, fsync: str = "no") -> None:
        spec = redis.server("redis", self.port).filled(
            {
                "data": str(self.folder),
                "host": "127.0.0.1",
                "port": str(self.port),
                "redis_fsync": fsync,
            }
        )
        self._process = subprocess.Popen(spec.command, stdout=subprocess.DEVNULL)
        eventually(lambda: self.ask("PING") == "PONG", what="redis-server")

    def send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def kill(self) -> None:
        """End it as a crash does; it is over when this returns."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(20)

    def ask(self, *command: str) -> str:
        """Return what Redis answers to another client."""
        words = ("redis-cli", "-p", str(self.port), *command)
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=20)
        return done.stdout.strip()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def trips() -> Asked:
    """What the stores of a test have answered."""
    return Asked()


@pytest.fixture
async def open_store(server: Server, trips: Asked) -> AsyncIterator[Callable[..., RedisStore]]:
    """Opens stores over the server, with settings by name."""
    stores = []

    def open_(clock: HandClock, name: str = "store", **given: Any) -> RedisStore:
        settings = settings_of(store="redis", peers={"redis": server.address}, **given)
        stores.append(RedisStore(replace(settings, name=name), clock, trips))
        return stores[-1]

    yield open_
    for store in stores:
        await store.close()
