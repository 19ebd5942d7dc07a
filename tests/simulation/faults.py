"""Faults at random times, and their healing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from testbed.record.history.model import ALL_JOBS, FaultEvent, LostJobs
from tests.simulation.network import Weather
from tests.simulation.world import World


class Nemesis:
    """Injects one fault after another, at times several at once; ``events`` records which.

    ``loses_state`` allows it to kill, once, a process that holds state.
    """

    def __init__(
        self, world: World, clients: list[str], random: Random, loses_state: bool = False
    ) -> None:
        self.events: list[FaultEvent] = []
        self.state_lost = -1
        """When state was lost for the last time, in microseconds."""
        self._world = world
        self._random = random
        self._loses_state = loses_state
        self._taken: set[str] = set()
        self._numbers = itertools.count()
        names = [spec.name for spec in world.topology.processes]
        self._stateless = [name for name in names if name not in world.stateful]
        self._names = names
        self._links = [
            (spec.name, peer) for spec in world.topology.processes for peer in spec.peers
        ] + [(client, entry) for client in clients for entry in world.topology.entries]

    async def inject(self, until: float) -> None:
        """Inject faults up to the virtual time ``until``, and return when all are healed."""
        loop = asyncio.get_running_loop()
        acts: list[Callable[[float], object]] = [
            self._pause, self._pause, self._cut, self._cut, self._slow, self._storm, self._isolate
        ]  # fmt: skip
        if self._stateless:
            acts += [self._kill, self._kill, self._restart, self._lose_worker]
            acts += [self._pause_worker] * 3
        under_way = []
        if self._loses_state:
            under_way.append(asyncio.create_task(self._lose_state(until / 2)))
        while True:
            await asyncio.sleep(self._random.expovariate(0.8))
            left = until - loop.time()
            if left <= 0:
                break
            lasts = min(left, self._random.choice((0.5, 1.5, 4.0, 8.0)) * self._random.random())
            under_way.append(asyncio.create_task(self._random.choice(acts)(lasts)))  # type: ignore[arg-type]
        await asyncio.gather(*under_way)

    async def _kill(self, lasts: float) -> None:
        async with self._fault("kill", self._stateless) as name:
            if name:
                self._world.kill(name)
                await asyncio.sleep(lasts)
                self._world.start(name)

    async def _lose_worker(self, lasts: float) -> None:
        """Kill a worker that never comes back, if another one stays."""
        workers = [name for name in self._stateless if name.startswith("worker")]
        if len(workers) < 2:
            return
        async with self._fault("kill", workers) as name:
            if name:
                self._stateless.remove(name)
                self._names.remove(name)
                self._world.kill(name)

    async def _restart(self, lasts: float) -> None:
        async with self._fault("restart", self._stateless) as name:
            if name:
                await self._world.stop(name)
                self._world.start(name)

    async def _lose_state(self, after: float) -> None:
        await asyncio.sleep(self._random.uniform(0, 2 * after))
        async with self._fault("kill", self._world.stateful, loses_state=True) as name:
            if name:
                self._world.kill(name)
                await asyncio.sleep(self._random.uniform(0.1, 2))
                self._world.start(name)
                self.state_lost = self._now()

    async def _pause(self, lasts: float, names: Sequence[str] = ()) -> None:
        async with self._fault("pause", names or self._names) as name:
            if name:
                freezer = self._world.processes[name].freezer
                freezer.freeze()
                await asyncio.sleep(lasts)
                freezer.thaw(asyncio.get_running_loop())

    async def _pause_worker(self, lasts: float) -> None:
        """Pause a worker for longer than it takes to be given up for dead."""
        workers = [name for name in self._stateless if name.startswith("worker")]
        await self._pause(self._random.uniform(3.5, 7.0), workers)

    async def _cut(self, lasts: float) -> None:
        one, other = self._random.choice(self._links)
        directions = self._random.choice(
            (((one, other),), ((other, one),), ((one, other), (other, one)))
        )
        await self._cut_links(directions, lasts, "cut")

    async def _isolate(self, lasts: float) -> None:
        name = self._random.choice(self._names)
        links = [link for link in self._links if name in link]
        both = (*links, *((other, one) for one, other in links))
        await self._cut_links(both, lasts, "isolate")

    async def _cut_links(self, links: tuple[tuple[str, str], ...], lasts: float, kind: str) -> None:
        begun = self._now()
        for link in links:
            self._world.network.links[link].cut += 1
        await asyncio.sleep(lasts)
        for link in links:
            self._world.network.links[link].cut -= 1
        self._note(kind, tuple(">".join(link) for link in links), begun)

    async def _slow(self, lasts: float) -> None:
        pair = self._random.choice(self._links)
        begun = self._now()
        link = self._world.network.links[pair]
        link.slow = self._random.choice((0.3, 2.0, 9.0))
        await asyncio.sleep(lasts)
        link.slow = 0.0
        self._note("slow", (">".join(pair),), begun)

    async def _storm(self, lasts: float) -> None:
        """Bad weather everywhere."""
        begun = self._now()
        calm = self._world.network.weather
        self._world.network.weather = Weather(
            lost=self._random.choice((0.0, 0.05, 0.2)),
            repeated=self._random.choice((0.0, 0.3)),
            late=self._random.choice((0.0, 0.2)),
            latest=self._random.choice((0.5, 4.0, 8.0)),
        )
        await asyncio.sleep(lasts)
        self._world.network.weather = calm
        self._note("storm", (), begun)

    @asynccontextmanager
    async def _fault(
        self, kind: str, names: Sequence[str], loses_state: bool = False
    ) -> AsyncIterator[str]:
        """Take a process that has no other fault; empty if each has one."""
        free = [name for name in names if name not in self._taken]
        if not free:
            yield ""
            return
        name = self._random.choice(free)
        self._taken.add(name)
        begun = self._now()
        yield name
        self._taken.discard(name)
        if loses_state:
            home = self._world.topology.process(name).home
            self._note(kind, (name,), begun, (name,), ALL_JOBS if home is None else (home,))
        else:
            self._note(kind, (name,), begun)

    def _note(
        self,
        kind: str,
        targets: tuple[str, ...],
        begun: int,
        lost: tuple[str, ...] = (),
        lost_jobs: LostJobs = (),
    ) -> None:
        span = begun, self._now()
        number = next(self._numbers)
        self.events.append(FaultEvent(number, kind, targets, *span, lost, lost_jobs=lost_jobs))

    def _now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1_000_000)
