"""The section on what the databases of a stack did around each fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from testbed.drive.servers import postgres, redis
from testbed.report.numbers import NOTHING, number, optional
from testbed.report.page import Block, Section, Table
from testbed.runs.faults.figures.around import ServerPhase, ServerStory
from testbed.runs.faults.figures.model import FaultFigures
from testbed.runs.faults.report import written
from testbed.runs.faults.report.run import labelled

_MIB = 1 << 20
_MOST_WAITS = 3
_LEAST_WAIT = 0.05


@dataclass(frozen=True)
class _Column:
    """A column of the table of a server: its title, and what stands there for a phase."""

    title: str
    cell: Callable[[ServerPhase], str]


def section(figures: Sequence[FaultFigures]) -> Section | None:
    """Return what the databases did; ``None`` if no stack has one."""
    blocks = [
        block for label, each in labelled(figures) if each.servers for block in _blocks(label, each)
    ]
    if not blocks:
        return None
    intro = [
        "Each database was asked once a second how it is, over connections of its own that were "
        "there before the load. Rates are of jobs that ended, before a fault, while it lasted and "
        "until the next one; recovery is the rate after by the rate before."
    ]
    notes = [
        "What waits is the share of all backends that were seen to run a statement of the stack; "
        "CPU is those that waited for nothing. Figures with an arrow are the first and the last of "
        "a phase. Snapshot is the age of the oldest, notify how full the queue of notifications "
        "was, each at its most. File is the append-only file; refused are connections. Silent are "
        "seconds in which a simple question had no answer within 0.9 s."
    ]
    return Section("servers", "Databases", "What the store did", intro, blocks, notes)


def _blocks(label: str, figures: FaultFigures) -> Iterator[Block]:
    yield Block(f"{label}: the rate around each fault", table=_recovery(figures))
    for name in dict.fromkeys(each.server for each in figures.servers):
        stories = [each for each in figures.servers if each.server == name]
        yield Block(f"{label}: {name}", table=_server(figures, stories))
        if any(phase.waits for each in stories for phase in each.phases):
            yield Block(f"{label}: what {name} waited for", table=_waited(figures, stories))


def _recovery(figures: FaultFigures) -> Table:
    columns = (
        "Fault",
        "before, jobs/s",
        "during ÷ before",
        "after ÷ before",
        "back after, s",
    )
    rows = []
    for number_, fault in enumerate(figures.faults, start=1):
        rates = fault.rates
        if rates is None:
            continue
        back = NOTHING if rates.back_s is None else f"{rates.back_s:.1f}"
        cells = (optional(each) for each in (rates.before, rates.during_ratio, rates.after_ratio))
        rows.append((f"{number_} {fault.name}", *cells, back))
    return Table(columns, rows, frozenset(range(1, len(columns))))


def _server(figures: FaultFigures, stories: Sequence[ServerStory]) -> Table:
    is_redis = any(redis.COMMANDS in each.counters for one in stories for each in one.phases)
    columns = _REDIS if is_redis else _POSTGRES
    # The name of a fault stands once, beside what was before it.
    rows = [
        (
            "" if place else _named(figures, story),
            phase.name,
            *(each.cell(phase) for each in columns),
        )
        for story in stories
        for place, phase in enumerate(story.phases)
    ]
    titles = ("Fault", "", *(each.title for each in columns))
    return Table(titles, rows, frozenset(range(2, len(titles))))


def _waited(figures: FaultFigures, stories: Sequence[ServerStory]) -> Table:
    titles = ("Fault", *(each.name for each in stories[0].phases))
    rows = [(_named(figures, each), *map(_waits, each.phases)) for each in stories]
    return Table(titles, rows)


def _named(figures: FaultFigures, story: ServerStory) -> str:
    """Name a fault; one that hit this very server has no need to name that."""
    fault = figures.faults[story.fault]
    return f"{story.fault + 1} {fault.kind if fault.target == story.server else fault.name}"


def _waits(phase: ServerPhase) -> str:
    most = [
        f"{name} {share * 100:.0f} %"
        for name, share in list(phase.waits.items())[:_MOST_WAITS]
        if share >= _LEAST_WAIT
    ]
    return ", ".join(most) or NOTHING


def _missed(phase: ServerPhase) -> str:
    return f"{phase.missed}" if phase.missed else ""


def _from_to(name: str, unit: float = 1) -> Callable[[ServerPhase], str]:
    def cell(phase: ServerPhase) -> str:
        if name not in phase.levels:
            return NOTHING
        first, last, _ = (each / unit for each in phase.levels[name])
        is_count = unit == 1
        if number(first, is_count) == number(last, is_count):
            return number(first, is_count)
        return f"{number(first, is_count)} → {number(last, is_count)}"

    return cell


def _oldest(phase: ServerPhase) -> str:
    found = phase.levels.get(postgres.SNAPSHOT)
    return written.seconds(found[2]) if found else NOTHING


def _most(name: str, unit: float = 1, is_count: bool = False) -> Callable[[ServerPhase], str]:
    def cell(phase: ServerPhase) -> str:
        return number(phase.levels[name][2] / unit, is_count) if name in phase.levels else NOTHING

    return cell


def _rose(name: str) -> Callable[[ServerPhase], str]:
    return lambda phase: optional(phase.counters.get(name), True)


def _per_second(name: str, unit: float = 1) -> Callable[[ServerPhase], str]:
    def cell(phase: ServerPhase) -> str:
        rose = phase.counters.get(name)
        return NOTHING if rose is None or not phase.seconds else number(rose / phase.seconds / unit)

    return cell


_POSTGRES = (
    _Column("dead tuples", _from_to(postgres.DEAD)),
    _Column("vacuums", _rose(postgres.VACUUMS)),
    _Column("tables, MiB", _from_to(postgres.BYTES, _MIB)),
    _Column("primary", _from_to(postgres.PRIMARY)),
    _Column("lag, MiB", _most(postgres.LAG, _MIB)),
    _Column("snapshot, s", _oldest),
    _Column("notify, %", _most(postgres.NOTIFICATIONS, 0.01)),
    _Column("WAL, MiB/s", _per_second(postgres.WAL, _MIB)),
    _Column("commits/s", _per_second(postgres.COMMITS)),
    _Column("clients", _most(postgres.CONNECTIONS, is_count=True)),
    _Column("silent, s", _missed),
)
_REDIS = (
    _Column("commands/s", _per_second(redis.COMMANDS)),
    _Column("memory, MiB", _from_to(redis.MEMORY, _MIB)),
    _Column("file, MiB", _from_to(redis.AOF, _MIB)),
    _Column("primary", _from_to(redis.PRIMARY)),
    _Column("replicas", _from_to(redis.REPLICAS)),
    _Column("late fsyncs", _rose(redis.DELAYED)),
    _Column("blocked", _most(redis.BLOCKED, is_count=True)),
    _Column("clients", _from_to(redis.CLIENTS)),
    _Column("errors", _rose(redis.REFUSED)),
    _Column("refused", _rose(redis.REJECTED)),
    _Column("silent, s", _missed),
)
