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
# The factor that a plan with several pairs of designs has by that.
PAIR = "designs"


@dataclass(frozen=True)
class Cell:
    """One combination of levels: what both sides of its trials run with.

    ``factors`` has the level of each factor of the plan, and under ``designs`` the pair if the plan
    has several.
    """

    index: int
    designs: tuple[str, str]
    factors: Mapping[str, Level]
    traffic: Traffic
    spec: StackSpec


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
    """A whole experiment: the cross product of ``pairs`` and ``factors``, ``blocks`` times over.

    ``traffic``, ``slots`` and ``workers`` hold where no factor says otherwise; its ``seed`` is that
    of the first block and of the order of the trials. ``cpus`` and ``memory_mib`` are the budget of
    each side, all of its processes together, and need a ``runtime`` that can hold them to it;
    ``None`` is the budget that the runtime gives by itself, if it gives one. ``audit`` bounds the
    wait for jobs after a drive, in seconds. ``faults`` names the fault plan that it ends with, none
    if empty.
    """

    name: str
    about: str = ""
    pairs: tuple[tuple[str, str], ...] = (("a", "b"),)
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

    @property
    def designs(self) -> tuple[str, ...]:
        """The designs that take part, each once."""
        return tuple(dict.fromkeys(design for pair in self.pairs for design in pair))

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
        """Return the cross product of the pairs and the levels, in the order of the plan."""
        combinations = itertools.product(self.pairs, itertools.product(*self.factors.values()))
        return tuple(
            self._cell(index, pair, dict(zip(self.factors, levels, strict=True)))
            for index, (pair, levels) in enumerate(combinations)
        )

    def _cell(self, index: int, pair: tuple[str, str], levels: dict[str, Level]) -> Cell:
        named: dict[str, Level] = {PAIR: ",".join(pair)} if len(self.pairs) > 1 else {}
        traffic = {name: level for name, level in levels.items() if name not in STACK_FACTORS}
        return Cell(
            index=index,
            designs=pair,
            factors={**named, **levels},
            traffic=replace(self.traffic, **traffic),  # type: ignore[arg-type]
            spec=StackSpec(
                slots=int(levels.get("slots", self.slots)),
                workers=int(levels.get("workers", self.workers)),
                budget=self.budget,
                runtime=self.runtime,
            ),
        )

    def seconds(self) -> float:
        """Return the seconds expected of the whole experiment, if nothing stops it early."""
        cells = self.cells()
        stacks = {(cell.spec, design) for cell in cells for design in cell.designs}
        trials = 2 * len(cells) * self.blocks
        phases = expected_phases(self.traffic)
        # Each stack is brought up once before the trials, to be asked what it runs with.
        return trials * sum(phases.values()) + len(stacks) * (phases[UP] + phases[DOWN])

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data, in the keys and tables of a plan file, nothing left out.

        ``designs`` is there also where ``pairs`` is; it is the first of them.
        """
        traffic = {
            name: value
            for name, value in asdict(self.traffic).items()
            if name not in {*self.factors, "duration", "warmup", "seed"} and self._applies(name)
        }
        data: dict[str, Any] = {
            "name": self.name,
            **({"about": self.about} if self.about else {}),
            **({"faults": self.faults} if self.faults else {}),
            "designs": list(self.pairs[0]),
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
        if len(self.pairs) > 1:
            data["pairs"] = [list(pair) for pair in self.pairs]
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
