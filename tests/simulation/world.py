"""All processes of one design on one network, and what can be done to them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import common.cache.opened
import common.context
import common.rpc.embedded_worker
import common.worker.backoff
import design_b.node
from common.config import Settings
from common.topology import ProcessSpec, Topology
from design_a.topology import TOPOLOGY as TOPOLOGY_A
from design_b.topology import TOPOLOGY as TOPOLOGY_B
from tests.simulation import cache
from tests.simulation.executions import Executions
from tests.simulation.executor import SimulatedExecutor
from tests.simulation.network import Network
from tests.simulation.process import SimulatedProcess


def _design_a() -> Topology:
    """Two gateways and two workers, so that one of them can be at fault while the other is not."""
    topology = TOPOLOGY_A.scaled(2)
    second = replace(topology.process("gateway"), name="gateway-2", port=1, metrics_port=1)
    return replace(
        topology,
        processes=(*topology.processes, second),
        entries=("gateway", "gateway-2"),
    )


def _design_b() -> Topology:
    """Three nodes: enough for a home, another node and a third that is asked."""
    names = TOPOLOGY_B.entries[:3]
    processes = tuple(
        replace(spec, peers=tuple(peer for peer in spec.peers if peer in names))
        for spec in TOPOLOGY_B.processes
        if spec.name in names
    )
    return replace(TOPOLOGY_B, processes=processes, entries=names)


TOPOLOGIES = {"a": _design_a(), "b": _design_b()}
# The processes of each design that hold state: to kill one is to lose what it held.
STATEFUL = {"a": ("job", "queue", "result"), "b": TOPOLOGIES["b"].entries}


class World:
    """A design that runs. Made on a running loop, inside :func:`patched`."""

    def __init__(
        self,
        design: str,
        random: Random,
        slots: int,
        settings: dict[str, object],
        cached: bool = False,
    ) -> None:
        self.design = design
        self.topology = TOPOLOGIES[design]
        self.stateful = STATEFUL[design]
        self.network = Network(asyncio.get_running_loop(), Random(random.random()))
        self.defects: list[str] = []
        self.processes: dict[str, SimulatedProcess] = {}
        self.membership = ""
        """With which nodes of Design B start."""
        self._exited: list[SimulatedProcess] = []
        self._random = random
        self._slots = slots
        self._settings = settings
        self._cache = cache.SimulatedCache(Random(random.random())) if cached else None
        for spec in self.topology.processes:
            self.start(spec.name)

    def start(self, name: str) -> None:
        """Start a process that does not run."""
        given = {**self._settings, "membership": self.membership}
        variables = self.topology.environment(name, self._slots, given)
        settings = Settings.from_environment(variables)
        if self._cache is not None and name in self.topology.entries:
            settings = replace(settings, peers={**settings.peers, cache.NAME: "cache:1"})
        process = SimulatedProcess(
            settings, self.network, Random(self._random.random()), self.defects
        )
        opened = self._cache.open if self._cache else common.cache.opened.open_cache
        with patch.object(common.cache.opened, "open_cache", opened):
            process.start(_assemble_of(self.topology.process(name)))
        self.processes[name] = process

    def kill(self, name: str) -> None:
        """End a process at once. One that holds state loses it."""
        process = self.processes.pop(name)
        process.kill()
        self._exited.append(process)

    async def stop(self, name: str) -> None:
        """Stop a process gracefully."""
        process = self.processes[name]
        await process.stop()
        if self.processes.get(name) is process:
            del self.processes[name]
            self._exited.append(process)

    def entries_left(self) -> int:
        """How many entries the queues hold, leased or not."""
        return self._total("taskqueue_queue_depth") + self._total("taskqueue_queue_leased")

    def slots_busy(self) -> int:
        """How many execution slots the workers take for occupied."""
        return self._total("taskqueue_worker_slots_busy")

    def _total(self, gauge: str) -> int:
        found = (each.registry.get_sample_value(gauge) for each in self.processes.values())
        return sum(int(value or 0) for value in found)

    def unfinished(self) -> int:
        """How many records are queued or running, accepted or not."""
        return sum(
            int(process.registry.get_sample_value("taskqueue_jobs", {"state": state}) or 0)
            for process in self.processes.values()
            for state in ("QUEUED", "RUNNING")
        )

    async def close(self) -> None:
        """Let every task come to its end, those of killed processes too."""
        self.network.closed = True
        loop = asyncio.get_running_loop()
        for process in [*self.processes.values(), *self._exited]:
            process.freezer.thaw(loop)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
            for task in others:
                task.cancel()
            await asyncio.wait(others)


@contextmanager
def patched(
    random: Random, durations: Sequence[tuple[float, int]], executions: Executions
) -> Iterator[None]:
    """Give the code of the designs virtual time, seeded randomness and simulated jobs."""
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    rng = Random(random.random())

    def executor(_: Any) -> SimulatedExecutor:
        return SimulatedExecutor(Random(rng.random()), durations, executions)

    with ExitStack() as stack:
        for module, name, value in (
            (common.context, "time", clock),
            (common.worker.backoff, "random", Random(random.random())),
            (common.rpc.embedded_worker, "JobExecutor", executor),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


def _assemble_of(spec: ProcessSpec) -> Callable[[Any], None]:
    if spec.module == "design_b":
        return design_b.node.assemble
    module = "design_a.worker.__main__" if spec.module == "design_a.worker" else spec.module
    return importlib.import_module(module).assemble  # type: ignore[no-any-return]
