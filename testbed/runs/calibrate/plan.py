"""What a calibration does: its phases, each a server with a known behaviour and a load on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.drive.traffic import CLIENTS
from testbed.errors import TestbedError
from testbed.record.model import CLOSED, OPEN
from testbed.runs.calibrate.behaviour import METHODS, Behaviour, Mixture, Stall

STEADY, STALLS, CLOSED_LOOP = "steady", "stalls", "closed loop"
SERVICE = {
    "SubmitJob": Mixture(((5.0, 1.0),)),
    "GetJobStatus": Mixture(((2.0, 0.8), (20.0, 0.2))),
}
THINK_SECONDS = 0.05
# Keeps even arrivals from meeting the same moments of every period: a golden part of their gap.
_GOLDEN = 0.382


@dataclass(frozen=True)
class Phase:
    """One server and one load: ``rate`` calls per second of an open loop, or ``users``."""

    name: str
    loop: str
    behaviour: Behaviour
    rate: float
    users: int = 0

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return self.name.replace(" ", "-")

    def words(self) -> str:
        """Say what it is in one line."""
        stall = self.behaviour.stall
        load = f"{self.rate:g} calls/s" if self.loop == OPEN else f"{self.users} users"
        stalls = (
            "no stalls"
            if stall is None
            else f"all answers held for {stall.length:g} s every {stall.period:.3g} s"
        )
        return f"{self.loop} loop, {load}, {stalls}"


@dataclass(frozen=True)
class CalibrationPlan:
    """``rate`` in calls per second; ``duration`` of each phase and ``warmup`` before, in seconds.

    ``client`` is what makes the calls.

    Raises :class:`TestbedError` naming the option that is out of range.
    """

    rate: float = 200.0
    duration: int = 20
    warmup: int = 2
    seed: int = 1
    client: str = CLIENTS[0]

    def __post_init__(self) -> None:
        if not 20 <= self.rate <= 5000:
            raise TestbedError(f"--rate {self.rate:g}: must be from 20 to 5000 calls per second")
        if not 4 <= self.duration <= 3600:
            raise TestbedError(f"--duration {self.duration}: must be from 4 to 3600 seconds")

    @property
    def stall(self) -> Stall:
        """The stall of the phases that have one; at least two fit into the shortest phase."""
        period = 2.0 if self.duration >= 10 else 1.0
        return Stall(period + _GOLDEN / self.rate, 0.2 * period)

    @property
    def mean_service(self) -> float:
        """Mean service time in seconds; both methods are called equally often."""
        return sum(SERVICE[name].mean_ms for name in METHODS) / len(METHODS) / 1000

    @property
    def cycle(self) -> float:
        """Seconds from one call of a closed-loop user to its next."""
        return self.mean_service + THINK_SECONDS

    def phases(self) -> Iterator[Phase]:
        """Give the phases in order; the closed loop has as many users as would make the rate."""
        stalling = Behaviour(SERVICE, self.stall, self.seed)
        yield Phase(STEADY, OPEN, Behaviour(SERVICE, None, self.seed), self.rate)
        yield Phase(STALLS, OPEN, stalling, self.rate)
        users = max(1, round(self.rate * self.cycle))
        yield Phase(CLOSED_LOOP, CLOSED, stalling, self.rate, users)

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "rate": self.rate,
            "duration": self.duration,
            "warmup": self.warmup,
            "seed": self.seed,
            "client": self.client,
            "phases": {
                each.name: {
                    "loop": each.loop,
                    "users": each.users,
                    "behaviour": each.behaviour.as_data(),
                }
                for each in self.phases()
            },
        }
