"""What each process may use, what it used, and how much its limit held it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from testbed.drive.figures.budget import THROTTLED_LIMIT, ProcessUse, uses
from testbed.report.numbers import NOTHING, number
from testbed.report.page import Alert, Block, Section, Table
from testbed.runs.compare.report.html.view import CellView, View

MIB = 1 << 20


@dataclass(frozen=True)
class _Column:
    """A figure of a process; the median over the trials is shown."""

    title: str
    of: Callable[[ProcessUse], float | None]
    write: Callable[[float], str]


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _mib(value: float) -> str:
    return number(value / MIB)


USED = (
    _Column("CPU, cores", lambda use: use.cpu_cores, number),
    _Column("peak memory, MiB", lambda use: use.memory_peak_bytes, _mib),
)
LIMITED = (
    _Column("limit, cores", lambda use: use.cpu_limit_cores, number),
    _Column("used, cores", lambda use: use.cpu_cores, number),
    _Column("of limit", lambda use: use.cpu_share, _percent),
    _Column("throttled", lambda use: use.throttled_share, _percent),
    _Column("periods cut short", lambda use: use.throttled_periods_share, _percent),
    _Column("limit, MiB", lambda use: use.memory_limit_bytes, _mib),
    _Column("peak, MiB", lambda use: use.memory_peak_bytes, _mib),
    _Column("of limit", lambda use: use.memory_share, _percent),
)


def section(view: View) -> Section:
    """Return the section of budgets and their use."""
    limited = any(trial.recorded.header.budget for trial in view.trials())
    blocks = [block for cell in view.cells if (block := _block(cell, limited))]
    intro = [
        "Each process has the same limits on CPU and memory, and their totals are equal for all "
        "sides. A process that has used up its CPU in a period of the limit is throttled until the "
        "next one begins. The figures are medians over the trials, after the warm-up."
        if limited
        else "These processes had no budget, as local ones never have: each could use the whole "
        "machine, and all shared it. What each used is the median over the trials, after the "
        "warm-up."
    ]
    if not blocks:
        intro = ["No trial has samples of its processes, so there is no use to show."]
    notes = [
        "Throttled is a share of the time. It adds up over the cores on which a process waits, so "
        f"it can exceed 100%; processes above {THROTTLED_LIMIT:.0%} are in bold. Memory is without "
        "file pages that the kernel can take back."
    ]
    return Section(
        "budgets",
        "Budgets",
        "What each process may use, and used",
        intro,
        blocks,
        notes if limited and blocks else (),
    )


def alert(view: View) -> Iterator[Alert]:
    """Say so if latencies have to be read with a limit in mind."""
    held = {
        f"{cell.labels[side]} {process}"
        for cell in view.cells
        for side in cell.sides
        for process, found in _by_process(cell, side).items()
        if _held_back(found)
    }
    if held:
        yield Alert(
            "Throttled.",
            f"The CPU limit held back {', '.join(sorted(held))} for more than "
            f"{THROTTLED_LIMIT:.0%} of the time. Latencies are in part those of the budget; see "
            "“Budgets”.",
        )


def _by_process(cell: CellView, side: int) -> dict[str, list[ProcessUse]]:
    found: dict[str, list[ProcessUse]] = {}
    for trial in cell.valid(side):
        for use in uses(trial.recorded, trial.measured()[1]):
            found.setdefault(use.process, []).append(use)
    return found


def _block(cell: CellView, limited: bool) -> Block | None:
    columns = LIMITED if limited else USED
    sides = [_by_process(cell, side) for side in cell.sides]
    pairs = [
        (f"{cell.labels[side]} {process}", found)
        for side in cell.sides
        for process, found in sides[side].items()
    ]
    if not pairs:
        return None
    rows = [(name, *(_cell(column, found) for column in columns)) for name, found in pairs]
    marked = frozenset(index for index, (_, found) in enumerate(pairs) if _held_back(found))
    titles = ("Process", *(column.title for column in columns))
    table = Table(titles, rows, frozenset(range(1, len(titles))), marked)
    text = [_shares(cell.labels[side], sides[side]) for side in cell.sides] if limited else []
    return Block(cell.name, text, table=table, wide=limited)


def _shares(label: str, processes: dict[str, list[ProcessUse]]) -> str:
    """Say how the total of a side is shared out."""
    first = [found[0] for found in processes.values()]
    cpus = [use.cpu_limit_cores for use in first if use.cpu_limit_cores is not None]
    memory = [use.memory_limit_bytes for use in first if use.memory_limit_bytes is not None]
    totals = [f"{number(sum(cpus))} cores"] if cpus else []
    totals += [f"{_mib(sum(memory))} MiB"] if memory else []
    if not totals:
        return f"{label}: {_processes(len(first))} without limits."
    return f"{label}: {' and '.join(totals)} in total, for {_processes(len(first))}."


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"


def _held_back(found: Sequence[ProcessUse]) -> bool:
    shares = [use.throttled_share for use in found if use.throttled_share is not None]
    return bool(shares) and median(shares) > THROTTLED_LIMIT


def _cell(column: _Column, found: Sequence[ProcessUse]) -> str:
    values = [value for use in found if (value := column.of(use)) is not None]
    return column.write(median(values)) if values else NOTHING
