"""The rounds of a bench summed up for each subject, and each side held against another: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from testbed.drive.figures import hops
from testbed.drive.figures.hops import Hop, Way
from testbed.runs.bench.figures import ABSOLUTE, FIGURES, bytes_per_job
from testbed.runs.bench.measure import ECHO, Measurement


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up at least one value."""
        listed = list(values)
        return cls(median(listed), min(listed), max(listed))

    @classmethod
    def known(cls, values: Iterable[float | None]) -> Spread | None:
        """Sum up the values that there are; ``None`` if there are none."""
        listed = [each for each in values if each is not None]
        return cls.of(listed) if listed else None


@dataclass(frozen=True)
class HopFigures:
    """The calls of one way for each job. ``None`` is what the processes do not count."""

    way: Way
    calls_per_job: Spread
    bytes_per_job: Spread | None
    entries_per_call: Spread | None


@dataclass(frozen=True)
class LoadFigures:
    """A subject with so many callers: :data:`FIGURES` by name, ``None`` where it has none."""

    callers: int
    figures: Mapping[str, Spread | None]
    hops: tuple[HopFigures, ...] = ()
    errors: int = 0


@dataclass(frozen=True)
class SubjectFigures:
    """The figures of one subject. The echo server has no side, no memory and no idle CPU."""

    name: str
    side: str
    loads: tuple[LoadFigures, ...]
    bytes_per_job: float | None = None
    idle_cores: float | None = None


@dataclass(frozen=True)
class Change:
    """A side over the first one of its design: ratios within each round, by callers and name."""

    name: str
    before: str
    loads: Mapping[int, Mapping[str, Spread | None]]
    memory: float | None = None
    idle: float | None = None


@dataclass(frozen=True)
class Measured:
    """All that was measured. ``memory`` and ``idle_cores`` are by the name of a subject.

    Every round has a measurement of every subject with each number of callers, the echo server
    included. ``sides`` are the sides by the names of their subjects, as they are written.
    """

    sides: Mapping[str, str]
    rounds: Sequence[Measurement]
    memory: Mapping[str, Measurement]
    idle_cores: Mapping[str, float]

    def of(self, name: str, callers: int) -> list[Measurement]:
        """Return the measurements of a subject in the order of their rounds."""
        found = (e for e in self.rounds if (e.subject, e.callers) == (name, callers))
        return sorted(found, key=lambda each: each.round)

    def callers(self) -> list[int]:
        """Return the numbers of callers, the least first."""
        return sorted({each.callers for each in self.rounds})


def summarize(measured: Measured) -> list[SubjectFigures]:
    """Sum up the rounds of each subject: the echo server, then the sides in their order."""
    return [
        SubjectFigures(
            name,
            measured.sides.get(name, ""),
            tuple(_load(measured, name, callers) for callers in measured.callers()),
            bytes_per_job(measured.memory[name]) if name in measured.memory else None,
            measured.idle_cores.get(name),
        )
        for name in (ECHO, *measured.sides)
    ]


def _load(measured: Measured, name: str, callers: int) -> LoadFigures:
    pairs = list(zip(measured.of(name, callers), measured.of(ECHO, callers), strict=True))
    figures = {
        figure.name: Spread.known(figure.of(*pair) for pair in pairs)
        if name != ECHO or not figure.relative
        else None
        for figure in FIGURES
    }
    mine = [each for each, _ in pairs]
    errors = sum(sum(each.run.errors.values()) for each in mine)
    return LoadFigures(callers, figures, tuple(_hops(mine)), errors)


def _hops(mine: Sequence[Measurement]) -> Iterator[HopFigures]:
    """Sum up each way; a round without a call of it has none, and no more is known of it."""
    rounds = [
        {hop.way: hop.per(each.run.accepted) for hop in each.hops}
        for each in mine
        if each.hops is not None
    ]
    for way in sorted({way for each in rounds for way in each}, key=hops.place):
        found: list[Hop] = [each[way] for each in rounds if way in each]
        yield HopFigures(
            way,
            Spread.of(each[way].calls if way in each else 0.0 for each in rounds),
            Spread.known(each.bytes for each in found),
            Spread.known(each.entries_per_call for each in found),
        )


def changes(measured: Measured, designs: Mapping[str, str]) -> list[Change]:
    """Hold each side against the first of its design, round by round.

    ``designs`` has the design of each subject by its name.
    """
    firsts: dict[str, str] = {}
    result = []
    for name in measured.sides:
        before = firsts.setdefault(designs[name], name)
        if before != name:
            loads = {each: _ratios(measured, name, before, each) for each in measured.callers()}
            sizes = {each: bytes_per_job(of) for each, of in measured.memory.items()}
            memory, idle = (_over(of, name, before) for of in (sizes, measured.idle_cores))
            result.append(Change(name, before, loads, memory, idle))
    return result


def _over(values: Mapping[str, float], name: str, before: str) -> float | None:
    """Return the ratio of two sides; memory that fell while jobs were done has none."""
    now, then = values.get(name, 0.0), values.get(before, 0.0)
    return now / then if now > 0 and then > 0 else None


def _ratios(measured: Measured, name: str, before: str, callers: int) -> dict[str, Spread | None]:
    """Return the ratio of each figure; ``None`` where one of the two has none, or nothing."""
    trios = [
        (one, other, echo)
        for one, other, echo in zip(
            *(measured.of(each, callers) for each in (name, before, ECHO)), strict=True
        )
    ]
    return {
        figure.name: Spread.known(
            now / then
            if (now := figure.of(one, echo)) is not None and (then := figure.of(other, echo))
            else None
            for one, other, echo in trios
        )
        for figure in ABSOLUTE
    }
