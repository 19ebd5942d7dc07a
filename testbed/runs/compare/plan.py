"""What an experiment is going to do, as immutable values; :mod:`planfile` reads and checks them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from common.stack_spec import DEFAULT_SLOTS, Budget, StackSpec
from testbed.drive.figures.validity import Limits
from testbed.drive.timed import expected_phases
from testbed.drive.traffic import CLOSED_LOOP_KEYS, OPEN_LOOP_KEYS, Traffic
from testbed.drive.trial import DOWN, UP, Level
from testbed.runs.compare.thresholds import Threshold
from testbed.stack import runtimes
from testbed.stack.sides.resolve import Deployment, resolve
from testbed.stack.sides.side import Side, labels
from testbed.stats import MIN_STOPPING_BLOCKS

OPEN_FACTORS = ("rate",)
# What is of the stack and not of its traffic.
STACK_FACTORS = ("slots", "workers")
FACTORS = (
    *CLOSED_LOOP_KEYS,
    *OPEN_FACTORS,
    "job_ms",
    "mix",
    "payload_bytes",
    "kind",
    *STACK_FACTORS,
)
# How often a block runs each side: in an order and in its mirror.
RUNS = 2


@dataclass(frozen=True)
class Cell:
    """One combination of levels: what all sides of its trials run with.

    ``sides`` are those of the plan, as texts; ``factors`` has the level of each of its factors.
    """

    index: int
    sides: tuple[str, ...]
    factors: Mapping[str, Level]
    traffic: Traffic
    spec: StackSpec

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each side, by which a reader tells them apart."""
        return labels(self.sides)

    def deployment(self, side: int) -> Deployment:
        """Return what is started for a side, counted from 0. Errors as of :func:`resolve`."""
        return resolve(self.sides[side], self.spec)


@dataclass(frozen=True)
class Stop:
    """When to stop before the last block.

    A cell is run no more once the interval of the ratio of every one of ``metrics`` reaches no
    further than ``half_width`` up or down (0.05 for 5 %), ``min_blocks`` at the earliest.
    """

    metrics: tuple[str, ...]
    half_width: float = 0.05
    min_blocks: int = MIN_STOPPING_BLOCKS


@dataclass(frozen=True)
class Plan:
    """A whole experiment: all ``sides`` in each combination of ``factors``, ``blocks`` times over.

    ``sides`` are two or more texts as ``str(Side)`` writes them, the first of them the reference.
    ``traffic``, ``slots`` and ``workers`` hold where no factor says otherwise; its ``seed`` is that
    of the first block and of the order of the trials. ``cpus`` and ``memory_mib`` are the budget of
    each side, all of its processes together, and need a ``runtime`` that can hold them to it;
    ``None`` is the budget that the runtime gives by itself, if it gives one. ``audit`` bounds the
    wait for jobs after a drive, in seconds. ``faults`` names the fault plan that it ends with, none
    if empty. ``declared`` are facts in which the sides may differ although no option says so.
    """

    name: str
    about: str = ""
    sides: tuple[str, ...] = ("a", "b")
    blocks: int = 5
    runtime: str = runtimes.DEFAULT
    slots: int = DEFAULT_SLOTS
    workers: int = 1
    cpus: float | None = None
    memory_mib: int | None = None
    audit: float = 60.0
    traffic: Traffic = field(default_factory=Traffic)
    factors: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    stop: Stop | None = None
    thresholds: tuple[Threshold, ...] = ()
    faults: str = ""
    declared: tuple[str, ...] = ()

    @property
    def designs(self) -> tuple[str, ...]:
        """The designs that take part, each once; a server that is there already is none."""
        named = (Side.parse(side).design for side in self.sides)
        return tuple(dict.fromkeys(design for design in named if design))

    @property
    def is_open(self) -> bool:
        """Whether calls are sent at a rate, whatever is answered."""
        return self.traffic.rate is not None or "rate" in self.factors

    @property
    def budget(self) -> Budget | None:
        """What each side may use, ``None`` if the plan does not say."""
        given = {"cpus": self.cpus, "memory_mib": self.memory_mib}
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(Budget(), **chosen) if chosen else None  # type: ignore[arg-type]

    def cells(self) -> tuple[Cell, ...]:
        """Return the cross product of the levels, in the order of the plan."""
        combinations = itertools.product(*self.factors.values())
        return tuple(
            self._cell(index, dict(zip(self.factors, levels, strict=True)))
            for index, levels in enumerate(combinations)
        )

    def _cell(self, index: int, levels: dict[str, Level]) -> Cell:
        traffic = {name: level for name, level in levels.items() if name not in STACK_FACTORS}
        return Cell(
            index=index,
            sides=self.sides,
            factors=levels,
            traffic=replace(self.traffic, **traffic),  # type: ignore[arg-type]
            spec=StackSpec(
                slots=int(levels.get("slots", self.slots)),
                workers=int(levels.get("workers", self.workers)),
                budget=self.budget,
                runtime=self.runtime,
            ),
        )

    @property
    def trials(self) -> int:
        """The number of trials, if nothing stops it early."""
        return RUNS * len(self.sides) * self.blocks * len(self.cells())

    def seconds(self) -> float:
        """Return the seconds expected of the whole experiment, if nothing stops it early."""
        stacks = {(cell.spec, side) for cell in self.cells() for side in cell.sides}
        phases = expected_phases(self.traffic)
        # Each stack is brought up once before the trials, to be asked what it runs with.
        return self.trials * sum(phases.values()) + len(stacks) * (phases[UP] + phases[DOWN])

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data, in the keys of a plan file, nothing left out."""
        traffic = {
            name: value
            for name, value in asdict(self.traffic).items()
            if name not in {*self.factors, "duration", "warmup", "seed"} and self._applies(name)
        }
        data: dict[str, Any] = {
            "name": self.name,
            **({"about": self.about} if self.about else {}),
            **({"faults": self.faults} if self.faults else {}),
            "sides": list(self.sides),
            "blocks": self.blocks,
            "warmup": self.traffic.warmup,
            "duration": self.traffic.duration,
            "seed": self.traffic.seed,
            "audit": self.audit,
            "runtime": self.runtime,
            **{
                name: value
                for name in (*STACK_FACTORS, "cpus", "memory_mib")
                if name not in self.factors and (value := getattr(self, name)) is not None
            },
            "traffic": traffic,
            "limits": asdict(self.limits),
        }
        if self.declared:
            data["declared"] = list(self.declared)
        if self.factors:
            data["factors"] = {name: list(levels) for name, levels in self.factors.items()}
        if self.stop is not None:
            data["stop"] = {**asdict(self.stop), "metrics": list(self.stop.metrics)}
        if self.thresholds:
            data["thresholds"] = [each.as_data() for each in self.thresholds]
        return data

    def _applies(self, name: str) -> bool:
        """Whether a field of the traffic has a meaning in the loop of this plan."""
        if self.is_open:
            return name not in CLOSED_LOOP_KEYS
        return name not in OPEN_LOOP_KEYS
