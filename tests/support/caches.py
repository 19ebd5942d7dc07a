"""Nodes of a cache, as a stack would run them, to be paused, killed and started again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from common.services import redis
from tests.support.ports import free_port
from tests.support.stacks import Stack
from tests.support.waiting import eventually


class CacheServer:
    """One node, running."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder = folder / name
        self.folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        given = {"host": "127.0.0.1", "port": str(self.port)}
        command = redis.cache(self.name, self.port).filled(given).command
        self._process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        eventually(lambda: self.ask("PING") == "PONG", what=self.name)

    def send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    def kill(self) -> None:
        """End it as a crash does; it is over when this returns."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def ask(self, *command: str) -> str:
        """Return what it answers to another client."""
        words = ("redis-cli", "-p", str(self.port), *command)
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=20)
        return done.stdout.strip()


@contextmanager
def cache_servers(count: int, folder: Path) -> Iterator[list[CacheServer]]:
    """Run so many nodes. A test that uses it has the mark ``needs("redis")``."""
    made: list[CacheServer] = []
    try:
        for number in range(1, count + 1):
            made.append(CacheServer(f"cache-{number}", folder))  # noqa: PERF401  # ended below
        yield made
    finally:
        for each in made:
            each.kill()


class CachedStack(Stack):
    """A design in front of whose entries there are these nodes."""

    nodes: list[CacheServer]

    def _environment(self, name: str) -> dict[str, str]:
        found = super()._environment(name)
        if name in self.topology.entries:
            peers = [f"{each.name}={each.address}" for each in self.nodes]
            found["TASKQUEUE_PEERS"] = ",".join([found["TASKQUEUE_PEERS"], *peers])
        return found

    def total(self, metric: str, **labels: str) -> float:
        """Return what all entries report of a metric, added up."""
        return sum(
            sample.value
            for name in self.topology.entries
            if name in self._processes
            for family in text_string_to_metric_families(self.metrics(name))
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )


@contextmanager
def cached(
    design: str, directory: Path, nodes: list[CacheServer], **settings: object
) -> Iterator[CachedStack]:
    """Run a design behind these nodes until the end of the block."""
    stack = CachedStack(design, directory, **settings)
    stack.nodes = nodes
    try:
        stack.start()
        entries = len(stack.topology.entries)

        def known() -> bool:
            return stack.total("taskqueue_cache_nodes") == entries * len(nodes)

        eventually(known, what="the nodes of the cache")
        yield stack
    finally:
        stack.close()
