"""What a fault run is going to do, as immutable values; :mod:`planfile` reads and checks them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from common.stack_spec import DEFAULT_SLOTS, StackSpec
from common.topology import Topology
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults.kind import CLOCK, CONTAINERS, LINKS
from testbed.stack import runtimes
from testbed.stack.sides.resolve import Deployment, started

ANY, STATELESS, STATEFUL = "any", "stateless", "stateful"
PARTS = (ANY, STATELESS, STATEFUL)
# Seconds that a side takes besides its drive, as seen on two cores.
UP_SECONDS, LOOKUP_SECONDS, DOWN_SECONDS = 4.0, 8.0, 3.0


@dataclass(frozen=True)
class DrawnFaults:
    """Faults at random: ``count`` of them, of ``kinds``, on the ``parts`` named.

    ``stateless`` leaves out what would lose the memory of a process that holds state; what only
    slows such a process or cuts it off stays in. ``stateful`` is those that lose it, alone.
    """

    count: int = 20
    kinds: tuple[str, ...] = ()
    parts: str = STATELESS


@dataclass(frozen=True)
class ListedFault:
    """A fault that the plan names: its kind, and its target in each design.

    It lasts for its own ``seconds``, if it has any, and ``health`` seconds pass after it.
    """

    kind: str
    targets: Mapping[str, str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    health: float | None = None


@dataclass(frozen=True)
class PlannedFault:
    """A fault of a schedule: what is done to which target, how, and for how long if it says so."""

    number: int
    kind: str
    target: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    health: float | None = None

    @property
    def title(self) -> str:
        """Name it in a few words."""
        return f"{self.kind} {self.target}"


@dataclass(frozen=True)
class FaultPlan:
    """A whole fault run. Times are in seconds.

    After ``lead`` of health every fault lasts for ``seconds``, then it is healed, and ``health``
    passes before the next. ``recovery`` bounds the wait for a stack that is not healthy by then,
    ``audit`` that for the jobs that are left once the load has ended. ``runtime``, ``slots``,
    ``workers`` and ``settings``, fields of ``common.config.Settings``, hold where a side says
    nothing else. Either ``drawn`` or ``listed`` says which faults.
    """

    name: str
    about: str = ""
    sides: tuple[str, ...] = ("a", "b")
    runtime: str = runtimes.DEFAULT
    slots: int = DEFAULT_SLOTS
    workers: int = 1
    seed: int = 1
    lead: float = 5.0
    seconds: float = 5.0
    health: float = 5.0
    recovery: float = 30.0
    audit: float = 120.0
    traffic: Traffic = field(default_factory=Traffic)
    settings: Mapping[str, str] = field(default_factory=dict)
    drawn: DrawnFaults | None = None
    listed: tuple[ListedFault, ...] = ()

    def hits(self, design: str) -> bool:
        """Whether there can be faults in a design; there are none in what is not started here."""
        if self.drawn is not None:
            return bool(design)
        return any(design in each.targets for each in self.listed)

    def deployments(self) -> tuple[Deployment, ...]:
        """Return what is started for each side, so that its faults are possible.

        Raises :class:`TestbedError` for a side that cannot be.
        """
        return tuple(
            self._possible_for(started(side, self.base, "a fault run")) for side in self.sides
        )

    @property
    def base(self) -> StackSpec:
        """How a stack is started where its side says nothing else."""
        return StackSpec(self.slots, self.workers, settings=self.settings, runtime=self.runtime)

    def _possible_for(self, deployment: Deployment) -> Deployment:
        """Return a deployment with what the kinds of its faults need."""
        needs = {registry.get(each.kind).needs for each in self.schedule(deployment)}
        spec = deployment.spec
        links, clock = spec.links or LINKS in needs, spec.clock or CLOCK in needs
        return replace(deployment, spec=replace(spec, links=links, clock=clock))

    def schedule(self, deployment: Deployment) -> tuple[PlannedFault, ...]:
        """Return the faults for one side, in their order; the same for equal seeds.

        What a plan names and this side has not, such as a server of another side, is left out.
        Kinds take turns in random order, so that each is there about equally often; targets are
        drawn. Raises :class:`TestbedError` if the design has no target for any of them.
        """
        topology = deployment.topology.scaled(deployment.spec.workers)
        if self.drawn is None:
            here = [each for each in self.listed if _can_hit(each, topology)]
            return tuple(
                PlannedFault(
                    number,
                    each.kind,
                    _first_of(each, topology),
                    each.parameters,
                    each.seconds,
                    each.health,
                )
                for number, each in enumerate(here, start=1)
            )
        possible = self._possible(self.drawn, topology, deployment.spec.runtime)
        if not possible:
            raise TestbedError(
                f"design {topology.design} has no target for {', '.join(self.drawn.kinds)} on "
                f"{self.drawn.parts} parts"
            )
        rng = random.Random(f"{self.seed}/{topology.design}")
        turns = _turns(sorted(possible), rng)
        return tuple(
            PlannedFault(number, kind := next(turns), rng.choice(possible[kind]))
            for number in range(1, self.drawn.count + 1)
        )

    def _possible(
        self, drawn: DrawnFaults, topology: Topology, runtime: str
    ) -> dict[str, list[str]]:
        """Return the possible targets by kind."""
        found = {}
        for name in drawn.kinds or _usual_kinds(runtime):
            kind = registry.get(name)
            targets = [
                target.name
                for target in kind.targets(topology)
                if drawn.parts == ANY or bool(kind.lost_state(target)) == (drawn.parts == STATEFUL)
            ]
            if targets:
                found[name] = targets
        return found

    def drive_seconds(self, schedule: Sequence[PlannedFault]) -> float:
        """Return how long the load of a side goes on, if every healing is in time."""
        return self.lead + sum(self.lasts(each) + self.health_after(each) for each in schedule)

    def lasts(self, fault: PlannedFault) -> float:
        """Return how long a fault lasts, if its kind says nothing else."""
        return self.seconds if fault.seconds is None else fault.seconds

    def health_after(self, fault: PlannedFault) -> float:
        """Return how much health follows on a fault."""
        return self.health if fault.health is None else fault.health

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data, nothing left out."""
        return asdict(self)


def _first_of(listed: ListedFault, topology: Topology) -> str:
    """Return the target in a design; where a process has several copies, the first of them."""
    target = listed.targets[topology.design]
    names = {each.name for each in topology.processes}
    parts = [part if part in names else f"{part}-1" for part in target.split(">")]
    copies = ">".join(parts)
    return copies if all(part in names for part in parts) else target


def _can_hit(listed: ListedFault, topology: Topology) -> bool:
    """Say whether a side has what a fault is to hit."""
    if topology.design not in listed.targets:
        return False
    known = {each.name for each in registry.get(listed.kind).targets(topology)}
    return _first_of(listed, topology).replace(":", ">") in known


def _usual_kinds(runtime: str) -> tuple[str, ...]:
    """Name all kinds that a runtime can do; the clock of a container cannot be set."""
    not_here = CONTAINERS if runtime == runtimes.DEFAULT else CLOCK
    return tuple(name for name, kind in registry.load().items() if kind.needs != not_here)


def _turns(names: list[str], rng: random.Random) -> Iterator[str]:
    """Give every name once in random order, and again, and again."""
    while True:
        yield from rng.sample(names, len(names))
