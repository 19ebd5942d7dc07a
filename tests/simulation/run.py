"""One simulation: clients and faults, healing, until drained, and a last look at every job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from testbed.history.model import History
from tests.simulation.clients import Client, Record, act_at_random, read_whole_list
from tests.simulation.faults import Nemesis
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Weather
from tests.simulation.process import EPOCH
from tests.simulation.world import World, patched

FAULTS = 10.0
"""Seconds with faults and clients."""
DRAIN = 45.0
"""Seconds in which every job has to end once all faults are over."""
LOSSY = 5
"""In one of so many simulations a process loses its state."""


@dataclass(frozen=True)
class Simulated:
    """What came of a simulation.

    ``not_drained`` says what was left at the end, ``defects`` which errors the code itself raised.
    """

    history: History
    not_drained: str
    defects: tuple[str, ...]


def simulate(design: str, seed: int) -> Simulated:
    """Run one simulation; equal arguments give equal histories."""
    random = Random(f"{design}-{seed}")
    with _silent(), patched(random), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_Simulation(design, random, seed % LOSSY == LOSSY - 1).run())


class _Simulation:
    def __init__(self, design: str, random: Random, loses_state: bool) -> None:
        self._design = design
        self._random = random
        self._loses_state = loses_state
        self._record = Record()
        self._not_drained = ""
        self._defects: list[str] = []

    async def run(self) -> Simulated:
        asyncio.get_running_loop().set_exception_handler(self._forgotten)
        self._world = World(self._design, self._random, self._settings())
        self._world.network.weather = Weather(
            lost=self._random.choice((0.0, 0.01)),
            repeated=self._random.choice((0.0, 0.02)),
            late=self._random.choice((0.0, 0.02)),
        )
        clients = [self._client(f"client-{number}") for number in range(5)]
        nemesis = Nemesis(
            self._world,
            [client.name for client in clients],
            Random(self._random.random()),
            self._loses_state,
        )
        acting = [asyncio.create_task(act_at_random(client, FAULTS)) for client in clients]
        await nemesis.rage(FAULTS)
        self._world.network.weather = Weather()
        await asyncio.gather(*acting)
        await self._drain(nemesis.state_lost)
        await self._audit()
        await self._world.close()
        self._defects += self._world.defects
        history = History(
            tuple(sorted(self._record.operations, key=lambda each: (each.invoked, each.id))),
            tuple(sorted(nemesis.events, key=lambda each: (each.begun, each.id))),
            self._design,
            EPOCH,
            0,
        )
        return Simulated(history, self._not_drained, tuple(self._defects))

    async def _drain(self, state_lost: int) -> None:
        """Wait until every job has ended that was asked for after the last loss of state."""
        loop = asyncio.get_running_loop()
        client = self._client("drain")
        end = loop.time() + DRAIN
        while True:
            waited_for = [job for job, at in self._record.accepted.items() if at > state_lost]
            left = self._world.entries_left()
            # What lost its queue with the memory of that may be left for good.
            unfinished = self._world.unfinished() if state_lost < 0 else 0
            if not waited_for and not left and not unfinished:
                return
            if loop.time() > end:
                self._not_drained = (
                    f"{len(waited_for)} accepted jobs {waited_for[:3]}, {unfinished} unfinished "
                    f"records, {left} entries"
                )
                return
            for job_id in waited_for:
                await client.status(job_id)
            await asyncio.sleep(2)

    async def _audit(self) -> None:
        client = self._client("audit")
        for job_id in self._record.jobs:
            await client.status(job_id)
            await client.result(job_id)
        await read_whole_list(client)

    def _client(self, name: str) -> Client:
        world = self._world
        random = Random(self._random.random())
        return Client(name, world.network, world.topology.entries, self._record, random)

    def _settings(self) -> dict[str, object]:
        return {
            "heartbeat_interval": 1.0,
            "heartbeat_timeout": 3.0,
            "lease": self._random.choice((3.0, 6.0)),
            "long_poll": self._random.choice((2.0, 8.0)),
            "max_queued_jobs": self._random.choice((1000, 1000, 8)),
        }

    def _forgotten(self, _: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
        self._defects.append(f"{what.get('message')}: {what.get('exception')!r}")


@contextmanager
def _silent() -> Iterator[None]:
    """Faults make the designs log a lot."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
