"""One simulation: clients and faults, healing, draining, a last read of every job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.record.history.model import IDS_BY_HOME, History
from tests.simulation.clients import Client, Record
from tests.simulation.executions import Executions
from tests.simulation.faults import Nemesis
from tests.simulation.growth import Growth
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Weather
from tests.simulation.process import EPOCH
from tests.simulation.scenarios import FAULTS, Scenario
from tests.simulation.world import World, patched

MOST_BYTES = 64 << 10
"""What a queue holds at most: much more than is ever unfinished."""
LOSSY = 5
"""In one of so many simulations a process loses its state."""


@dataclass(frozen=True)
class Simulated:
    """What came of a simulation.

    ``not_drained`` is what was left at the end, ``not_at_rest`` what the queues did not take
    once they were empty, ``defects`` which errors the code itself raised. So many messages were
    ``repeated_late``, the last of them at ``last_repeat``, in seconds.
    """

    history: History
    executions: Executions
    not_drained: str
    not_at_rest: str
    defects: tuple[str, ...]
    repeated_late: int = 0
    last_repeat: float = 0.0


def simulate(design: str, seed: int, scenario: Scenario = FAULTS) -> Simulated:
    """Run one simulation; equal arguments give equal histories."""
    random = Random(f"{design}-{seed}")
    executions = Executions()
    simulation = _Simulation(design, random, seed % LOSSY == LOSSY - 1, scenario, executions)
    with (
        _silent(),
        patched(random, scenario.durations, executions),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        return runner.run(simulation.run())


class _Simulation:
    def __init__(
        self,
        design: str,
        random: Random,
        loses_state: bool,
        scenario: Scenario,
        executions: Executions,
    ) -> None:
        self._design = design
        self._random = random
        self._loses_state = loses_state
        self._scenario = scenario
        self._executions = executions
        self._record = Record(forgets=scenario.retention > 0)
        self._not_drained = ""
        self._not_at_rest = ""
        self._defects: list[str] = []

    async def run(self) -> Simulated:
        asyncio.get_running_loop().set_exception_handler(self._forgotten)
        self._world = World(
            self._design,
            self._random,
            self._scenario.slots,
            self._settings(),
            self._scenario.cached,
        )
        network = self._world.network
        network.weather = self._scenario.weather(self._random)
        clients = [self._client(f"client-{number}") for number in range(self._scenario.clients)]
        nemesis = self._nemesis(clients)
        until = self._scenario.seconds
        acting = [asyncio.create_task(self._scenario.traffic(each, until)) for each in clients]
        if self._scenario.grows:
            acting.append(asyncio.create_task(self._growth(clients).grow_and_shrink(until)))
        if self._scenario.faults:
            await nemesis.inject(until)
            network.weather = Weather()
        await asyncio.gather(*acting)
        network.weather = Weather()
        await self._settle(nemesis.state_lost)
        await self._audit()
        await self._world.close()
        self._defects += self._world.defects
        self._defects += network.defects
        history = History(
            tuple(sorted(self._record.operations, key=lambda each: (each.invoked, each.id))),
            tuple(sorted(nemesis.events, key=lambda each: (each.begun, each.id))),
            self._design,
            EPOCH,
            0,
            ids=IDS_BY_HOME,
            retention_us=int(self._scenario.retention * 1e6),
        )
        return Simulated(
            history,
            self._executions,
            self._not_drained,
            self._not_at_rest,
            tuple(self._defects),
            network.repeated_late,
            network.last_repeat,
        )

    def _growth(self, clients: list[Client]) -> Growth:
        def on_join(name: str) -> None:
            for client in clients:
                client.add_endpoint(name)

        return Growth(self._world, Random(self._random.random()), on_join)

    def _nemesis(self, clients: list[Client]) -> Nemesis:
        names = [client.name for client in clients]
        random = Random(self._random.random())
        return Nemesis(self._world, names, random, self._loses_state)

    async def _settle(self, state_lost: int) -> None:
        """Wait until all jobs have ended and all messages arrived, and see what is left then."""
        loop = asyncio.get_running_loop()
        await self._drain(state_lost)
        await asyncio.sleep(max(0.0, self._world.network.last_repeat - loop.time()) + 1)
        await self._drain(state_lost)
        for endpoint in self._world.topology.entries:
            if not (self._not_drained or self._not_at_rest):
                await self._fill(endpoint)
                await self._drain(state_lost)
        busy = self._world.slots_busy()
        if self._scenario.calm and busy and not self._not_drained:
            self._not_at_rest = f"{busy} slots are occupied, and no job is left"

    async def _fill(self, endpoint: str) -> None:
        """See that an empty queue takes as many bytes as it may hold."""
        client = self._client("fill")
        job = pb.JobSpec(kind="noop", payload=bytes(MOST_BYTES))
        request = pb.SubmitJobRequest(job=job)
        if await client.call("SubmitJob", request, endpoint=endpoint) is None:
            failed = self._record.operations[-1]
            self._not_at_rest = f"{endpoint} is empty, and not all that fits is taken: {failed}"

    async def _drain(self, state_lost: int) -> None:
        """Wait until every job has ended that was asked for after the last loss of state."""
        loop = asyncio.get_running_loop()
        client = self._client("drain")
        end = loop.time() + self._scenario.drain
        while True:
            waited_for = [job for job, at in self._record.accepted.items() if at > state_lost]
            left = self._world.entries_left()
            # Jobs whose queue has lost its memory may never end.
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
        for job_id in self._record.jobs[:: self._scenario.audit_every]:
            await client.status(job_id)
            await client.result(job_id)
        await client.list_all()

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
            "max_queued_jobs": self._random.choice(self._scenario.most_jobs),
            "max_queued_bytes": MOST_BYTES,
            "retention": self._scenario.retention,
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
