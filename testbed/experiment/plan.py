"""What a comparison is going to do, checked before anything starts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from common.domain.job import MAX_PAYLOAD_BYTES
from testbed.errors import TestbedError


class PlanError(TestbedError):
    """Something asked for is impossible; the message names every such option."""


@dataclass(frozen=True)
class Traffic:
    """The load of every trial. Times are in seconds, except ``job_ms``.

    ``think_time`` is the mean pause of a user between two calls; ``mix`` the weights of the calls
    as the load generator reads them.
    """

    users: int = 20
    duration: float = 20.0
    warmup: float = 4.0
    mix: str = "submit=40,status=30,result=20,cancel=5,list=5"
    kind: str = "sleep"
    job_ms: float = 20.0
    payload_bytes: int = 64
    deadline: float = 5.0
    think_time: float = 0.05
    seed: int = 1


@dataclass(frozen=True)
class TrialPlan:
    """One trial: ``round`` and ``position`` count from 1, ``side`` is 0 or 1."""

    number: int
    round: int
    position: int
    side: int
    design: str

    @property
    def folder(self) -> str:
        """Name of the trial's folder; the names sort in the order of the trials."""
        return f"{self.number:03d}-{self.design}"


@dataclass(frozen=True)
class Plan:
    """A whole comparison.

    ``audit`` bounds the wait for jobs after a drive, in seconds; ``titles`` says for a reader what
    each design is.
    """

    designs: tuple[str, str] = ("a", "b")
    rounds: int = 3
    slots: int = 12
    name: str = "compare"
    keep_going: bool = False
    audit: float = 60.0
    traffic: Traffic = field(default_factory=Traffic)
    titles: Mapping[str, str] = field(default_factory=dict)

    def trials(self) -> Iterator[TrialPlan]:
        """Give the trials in order: the sides alternate and each round turns them round."""
        number = 0
        for turn in range(1, self.rounds + 1):
            sides = (0, 1) if turn % 2 else (1, 0)
            for position, side in enumerate(sides, start=1):
                number += 1
                yield TrialPlan(number, turn, position, side, self.designs[side])

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {**asdict(self), "designs": list(self.designs)}


def check(plan: Plan, designs: Iterable[str], kinds: Iterable[str]) -> None:
    """Raise :class:`PlanError` naming every option with an impossible value.

    ``designs`` and ``kinds`` are those that are known. The mix is checked by the load generator.
    """
    problems = [
        *_plan_problems(plan, sorted(designs)),
        *_traffic_problems(plan.traffic, sorted(kinds)),
    ]
    if problems:
        raise PlanError("; ".join(problems))


def parse_designs(text: str) -> tuple[str, str]:
    """Read ``a,b``. Raises :class:`PlanError` unless it names exactly two."""
    names = [name.strip().lower() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise PlanError(
            f"--designs {text!r}: give two designs with a comma, for example a,b or a,a"
        )
    return names[0], names[1]


def _plan_problems(plan: Plan, known: list[str]) -> Iterator[str]:
    for design in dict.fromkeys(plan.designs):
        if design not in known:
            yield f"--designs: there is no design {design!r}; known are {', '.join(known)}"
    yield from _whole("--rounds", plan.rounds, 1, 1000)
    yield from _whole("--slots", plan.slots, 1, 10_000)
    if not plan.name.replace("-", "").replace("_", "").isalnum() or plan.name in {
        "latest",
        "bench",
    }:
        yield (
            f"--name {plan.name!r}: letters, digits, - and _ only, and neither 'latest' nor 'bench'"
        )


def _traffic_problems(traffic: Traffic, kinds: list[str]) -> Iterator[str]:
    if traffic.kind not in kinds:
        yield f"--kind: there is no kind {traffic.kind!r}; known are {', '.join(kinds)}"
    yield from _whole("--users", traffic.users, 1, 10_000)
    yield from _range("--duration", traffic.duration, 1, 86_400, "seconds")
    yield from _range("--warmup", traffic.warmup, 0, 3600, "seconds")
    yield from _range("--job-ms", traffic.job_ms, 0, 600_000, "milliseconds")
    yield from _whole("--payload-bytes", traffic.payload_bytes, 0, MAX_PAYLOAD_BYTES)
    yield from _range("--deadline", traffic.deadline, 0.001, 60, "seconds")
    yield from _range("--think-time", traffic.think_time, 0, 3600, "seconds")
    yield from _whole("--seed", traffic.seed, 0, 2**63 - 1)


def _whole(option: str, value: int, least: int, most: int) -> Iterator[str]:
    if not least <= value <= most:
        yield f"{option} {value}: must be from {least} to {most}"


def _range(option: str, value: float, least: float, most: float, unit: str) -> Iterator[str]:
    if not math.isfinite(value) or not least <= value <= most:
        yield f"{option} {value:g}: must be from {least:g} to {most:g} {unit}"
