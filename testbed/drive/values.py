"""What the keys of a plan may hold, and the errors for a value that they may not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from common.domain.job import MAX_PAYLOAD_BYTES
from common.topology import MOST_COPIES
from testbed.drive.traffic import CLIENTS
from testbed.stack import runtimes


@dataclass(frozen=True)
class Number:
    """A number in a range, whole or not; a half-open range excludes its lower end."""

    least: float
    most: float
    unit: str = ""
    whole: bool = False
    above: bool = False

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value, or nothing."""
        kind = "a whole number" if self.whole else "a number"
        allowed = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            return f"{value!r} is not {kind}"
        inside = self.least <= value <= self.most and not (self.above and value == self.least)
        if not math.isfinite(value) or not inside:
            start = f"above {self.least:g}" if self.above else f"from {self.least:g}"
            unit = f" {self.unit}" if self.unit else ""
            return f"{value:g} is not possible: must be {start} to {self.most:g}{unit}"
        return ""


@dataclass(frozen=True)
class Text:
    """A text, one of ``known`` if any are given."""

    known: tuple[str, ...] = ()

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value, or nothing."""
        if not isinstance(value, str) or not value:
            return f"{value!r} is not a text"
        if self.known and value not in self.known:
            return f"there is no {value!r}{hint(value, self.known)}"
        return ""


Spec = Number | Text

TOP: dict[str, Spec] = {
    "name": Text(),
    "about": Text(),
    "blocks": Number(1, 1000, whole=True),
    "warmup": Number(0, 3600, "seconds"),
    "duration": Number(1, 86_400, "seconds"),
    "seed": Number(0, 2**63 - 1, whole=True),
    "runtime": Text(tuple(runtimes.RUNTIMES)),
    "slots": Number(1, 10_000, whole=True),
    "workers": Number(1, MOST_COPIES, whole=True),
    "cpus": Number(0, 1024, "cores", above=True),
    "memory_mib": Number(6 * 16, 1 << 20, "MiB", whole=True),
    "audit": Number(1, 3600, "seconds"),
    "faults": Text(),
}
LIMITS: dict[str, Spec] = {
    "offered_miss": Number(0, 1, above=True),
    "send_delay_share": Number(0, 1, above=True),
    "send_delay_floor_ms": Number(0, 1000, "milliseconds"),
    "generator_cpu": Number(0, 64, "cores", above=True),
}
STOP: dict[str, Spec] = {
    "half_width": Number(0, 1, above=True),
    "min_blocks": Number(2, 1000, whole=True),
}


def traffic(kinds: Iterable[str]) -> dict[str, Spec]:
    """Return what the keys of the table ``traffic`` may hold; ``kinds`` of jobs are known."""
    return {
        "users": Number(1, 10_000, whole=True),
        "think_time": Number(0, 3600, "seconds"),
        "rate": Number(0, 100_000, "calls per second", above=True),
        "arrivals": Text(("poisson", "even")),
        "max_in_flight": Number(1, 100_000, whole=True),
        "mix": Text(),
        "kind": Text(tuple(sorted(kinds))),
        "job_ms": Number(0, 600_000, "milliseconds"),
        "payload_bytes": Number(0, MAX_PAYLOAD_BYTES, whole=True),
        "deadline": Number(0.001, 60, "seconds"),
        "client": Text(CLIENTS),
    }


def hint(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is meant, or name all if they are few."""
    listed = list(known)
    close = difflib.get_close_matches(str(word), listed, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known are {', '.join(listed)}" if len(listed) <= 20 else ""
