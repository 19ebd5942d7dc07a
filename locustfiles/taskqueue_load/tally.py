"""What is counted of a test, second by second, as plain data that adds up over processes.

A :class:`Part` is what one process has counted since its last part. It travels to the master in
Locust's own worker reports and is forgotten where it was counted, so memory stays bounded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

HIGHEST_US = 60_000_000


@dataclass(slots=True)
class SecondCounts:
    """The calls of one second. Those that are due, sent, dropped; and those that ended, by how.

    ``in_flight_max`` is the highest number in flight, ``generator_cpu`` in seconds.
    """

    due: int = 0
    sent: int = 0
    dropped: int = 0
    answered: int = 0
    expected: int = 0
    definite: int = 0
    indefinite: int = 0
    in_flight_max: int = 0
    generator_cpu: float = 0.0

    def add(self, other: SecondCounts) -> None:
        """Add the row of another process for the same second, or of another second."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_data(self) -> dict[str, float]:
        """Return the row as it is written."""
        data = {name: getattr(self, name) for name in COLUMNS}
        return {**data, "generator_cpu": round(self.generator_cpu, 6)}


COLUMNS = tuple(each.name for each in fields(SecondCounts))


def _times() -> dict[tuple[int, str], dict[int, int]]:
    return defaultdict(dict)


@dataclass
class Part:
    """Counts of some seconds.

    ``times`` has by second and tag (``NAME|KIND``) how many calls took so many microseconds;
    ``error_kinds`` by name how many failed in which way; ``accepted`` is the number of jobs.
    """

    rows: dict[int, SecondCounts] = field(default_factory=lambda: defaultdict(SecondCounts))
    times: dict[tuple[int, str], dict[int, int]] = field(default_factory=_times)
    error_kinds: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    accepted: int = 0

    def time(self, second: int, tag: str, seconds: float) -> None:
        """Count a call that took so many seconds."""
        counts = self.times[second, tag]
        value = min(max(round(seconds * 1e6), 1), HIGHEST_US)
        counts[value] = counts.get(value, 0) + 1

    def before(self, second: int) -> Part:
        """Take out what belongs to earlier seconds, with all error kinds and accepted jobs."""
        taken = Part(error_kinds=self.error_kinds, accepted=self.accepted)
        self.error_kinds, self.accepted = defaultdict(Counter), 0
        for each in [each for each in self.rows if each < second]:
            taken.rows[each] = self.rows.pop(each)
        for key in [key for key in self.times if key[0] < second]:
            taken.times[key] = self.times.pop(key)
        return taken

    def to_data(self) -> dict[str, Any]:
        """Return plain data that a message can hold."""
        return {
            "rows": {
                second: [getattr(row, c) for c in COLUMNS] for second, row in self.rows.items()
            },
            "times": [[second, tag, counts] for (second, tag), counts in self.times.items()],
            "error_kinds": {name: dict(kinds) for name, kinds in self.error_kinds.items()},
            "accepted": self.accepted,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_data` returned."""
        part = cls(accepted=data["accepted"])
        part.rows.update({int(second): SecondCounts(*row) for second, row in data["rows"].items()})
        part.times.update({(second, tag): counts for second, tag, counts in data["times"]})
        part.error_kinds.update({n: Counter(kinds) for n, kinds in data["error_kinds"].items()})
        return part
