"""What a capacity run does, checked before anything starts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from common.stack_spec import StackSpec
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.runs.capacity import slo
from testbed.runs.capacity.search import SearchPlan
from testbed.runs.capacity.slo import Slo

USERS = (1, 2, 4, 8, 16, 32)
CONFIRM_FACTOR = 2.0
# Seconds. A rate that would need longer for its percentiles is too low for them.
LONGEST_DRIVE = 120.0


@dataclass(frozen=True)
class CapacityPlan:
    """Which sides, which objective, how to search, and which users to sweep (none: no sweep).

    ``traffic`` is what every drive has in common; its duration is that of a step of the search.
    ``spec`` holds where a side says nothing else.
    """

    sides: tuple[str, ...] = ("a", "b")
    slo: Slo = field(default_factory=lambda: slo.parse(slo.EXAMPLE))
    search: SearchPlan = field(default_factory=SearchPlan)
    users: tuple[int, ...] = USERS
    repeats: int = 2
    spec: StackSpec = field(default_factory=StackSpec)
    audit_seconds: float = 30.0
    traffic: Traffic = field(default_factory=lambda: Traffic(duration=8.0, warmup=2.0))

    def drive_seconds(self, rate: float, confirm: bool) -> float:
        """Return the measured seconds of a drive: as many as the percentiles need, in whole ones.

        A low rate is driven for longer, so that it has enough calls and jobs.
        """
        base = self.traffic.duration * (CONFIRM_FACTOR if confirm else 1)
        needed = math.ceil(self.slo.seconds_needed(rate, self._submits()) * 1.2)
        return float(min(max(base, needed), LONGEST_DRIVE))

    def _submits(self) -> float:
        """Return the part of the calls that submit a job."""
        weights = dict(part.split("=") for part in self.traffic.mix.split(","))
        total = sum(map(int, weights.values()))
        return int(weights.get("submit", "0")) / total if total else 0.0

    def expected_drives(self) -> int:
        """Return about how many drives there will be, for the time that is left."""
        plan = self.search
        narrow = math.ceil(math.log(math.log(plan.factor) / math.log1p(plan.precision), 2))
        search = 5 + math.ceil(1.5 * max(narrow, 0)) + 2 * (plan.confirmations // 2 + 1)
        return len(self.sides) * (search + len(self.users) * self.repeats)

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "sides": list(self.sides),
            "slo": self.slo.as_data(),
            "search": asdict(self.search),
            "users": list(self.users),
            "repeats": self.repeats,
            **asdict(self.spec),
            "audit_seconds": self.audit_seconds,
            "traffic": asdict(self.traffic),
        }


def check(plan: CapacityPlan, kinds: Iterable[str]) -> None:
    """Raise :class:`TestbedError` naming every option with an impossible value."""
    if problems := list(_problems(plan, sorted(kinds))):
        raise TestbedError("; ".join(problems))


def parse_users(text: str) -> tuple[int, ...]:
    """Read ``1,2,4,8``; nothing means no sweep. Raises :class:`TestbedError`."""
    try:
        users = tuple(sorted({int(each) for each in text.split(",") if each.strip()}))
    except ValueError:
        raise TestbedError(f"--users {text!r}: whole numbers with commas between") from None
    if users and (users[0] < 1 or users[-1] > 1000):
        raise TestbedError(f"--users {text!r}: each must be from 1 to 1000")
    if users and len(users) < 4:
        raise TestbedError(
            f"--users {text!r}: the scalability law takes four different numbers at least",
            "--users '' leaves the sweep out",
        )
    return users


def _problems(plan: CapacityPlan, kinds: list[str]) -> Iterator[str]:
    if not plan.sides or len(set(plan.sides)) < len(plan.sides):
        yield f"{' '.join(plan.sides)!r}: name one side or several different ones"
    if plan.traffic.kind not in kinds:
        yield f"--kind: there is no kind {plan.traffic.kind!r}; known are {', '.join(kinds)}"
    for option, value, least, most in (
        ("--duration", plan.traffic.duration, 3, 3600),
        ("--warmup", plan.traffic.warmup, 0, 600),
        ("--slots", plan.spec.slots, 1, 10_000),
        ("--repeats", plan.repeats, 1, 100),
        ("--job-ms", plan.traffic.job_ms, 0, 600_000),
    ):
        if not least <= value <= most:
            yield f"{option} {value:g}: must be from {least:g} to {most:g}"
