"""What databases did around a fault, and how the rate of jobs went: worked out and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from testbed.drive.servers import postgres, redis
from testbed.record.series import MetricSeries, ProcessSeries, Series
from testbed.runs.faults.figures import FaultFigures, analyse
from testbed.runs.faults.report.page import page
from testbed.runs.faults.report.servers import section
from tests.unit.report.pages import Page
from tests.unit.runs.faults.histories import UNIX_US, Story
from tests.unit.runs.faults.synthetic import run

# A drive of 60 s with a fault from second 20 to 40.
BEGUN, HEALED, SECONDS = 20, 40, 60
MIB = 1 << 20
Levels = Mapping[str, Sequence[float]]


def server(levels: Levels, waits: Levels | None = None, silent: range = range(0)) -> ProcessSeries:
    """Return a server with a value of each series for each second, but for those it is silent."""
    asked = [second for second in range(SECONDS) if second not in silent]

    def series(values: Sequence[float], labels: Mapping[str, str]) -> Series:
        return Series(labels, range(len(asked)), [values[second] for second in asked])

    found = {name: [series(values, {})] for name, values in levels.items()}
    found[postgres.BACKENDS] = [
        series(values, {"wait": wait}) for wait, values in (waits or {}).items()
    ]
    times = [UNIX_US / 1e6 + second + 0.5 for second in asked]
    failures = [(UNIX_US / 1e6 + second + 0.5, "TimeoutError: ") for second in silent]
    return ProcessSeries(times, [0.01] * len(times), failures, found)


def steps(before: float, during: float, after: float) -> list[float]:
    return [before] * BEGUN + [during] * (HEALED - BEGUN) + [after] * (SECONDS - HEALED)


def drive(rate_during: float, servers: Mapping[str, ProcessSeries]) -> FaultFigures:
    """Return the figures of ten jobs a second before the fault, and twice as many after it."""
    story = Story("b")
    story.answered(range(SECONDS + 1))
    story.fault(BEGUN, HEALED, "old_snapshot", ["postgres"])
    for second, rate in enumerate(steps(10, rate_during, 20)):
        for number in range(round(rate)):
            at = second + (number + 0.5) / rate
            story.job(f"{second}-{number}", at - 0.2, at - 0.1, at)
    return analyse(replace(story.trial(), side="b+store=postgres", servers=MetricSeries(servers)))


BUSY = server(
    {
        postgres.DEAD: [*([100.0] * BEGUN), *range(100, 2100, 100), *([0.0] * 20)],
        postgres.BYTES: steps(MIB, 8 * MIB, 8 * MIB),
        postgres.WAL: [MIB * second for second in range(SECONDS)],
        postgres.SNAPSHOT: steps(0, 19, 0.1),
        postgres.NOTIFICATIONS: steps(0, 0.25, 0),
    },
    {"CPU": steps(1, 3, 1), "LWLock:WALWrite": steps(0, 1, 0)},
    silent=range(38, 40),
)


def test_rate_during_and_after_a_fault_is_measured_by_that_before() -> None:
    (fault,) = drive(5, {}).faults
    assert fault.rates is not None
    assert fault.rates.before == pytest.approx(10)
    assert fault.rates.during_ratio == pytest.approx(0.5)
    assert fault.rates.after_ratio == pytest.approx(2, rel=0.01)
    assert fault.rates.back_s == 0


def test_a_stack_that_is_never_back_is_said_to_be_so() -> None:
    story = Story()
    story.answered(range(SECONDS + 1))
    story.fault(BEGUN, HEALED)
    for second in range(HEALED):
        story.job(f"{second}", second, second + 0.1, second + 0.2)
    (fault,) = analyse(story.trial()).faults
    assert fault.rates is not None
    assert fault.rates.after == 0
    assert fault.rates.back_s is None


def test_phases_of_a_database_are_those_of_the_fault() -> None:
    (story,) = drive(5, {"postgres": BUSY}).servers
    before, during, after = story.phases
    assert (story.server, story.fault) == ("postgres", 0)
    assert before.waits == {"CPU": 1}
    assert during.waits == {"CPU": 0.75, "LWLock:WALWrite": 0.25}
    assert during.levels[postgres.DEAD] == (100, 1800, 1800)
    assert after.levels[postgres.DEAD] == (0, 0, 0)
    assert (during.samples, during.missed) == (18, 2)
    assert (before.missed, after.missed) == (0, 0)
    assert before.counters[postgres.WAL] == pytest.approx(15 * MIB)


def test_section_shows_what_the_store_did_and_how_it_recovered() -> None:
    shown = Page(page([drive(5, {"postgres": BUSY})], run())).text
    assert "What the store did" in shown
    assert "CPU 75 %, LWLock:WALWrite 25 %" in shown
    assert "100 → 1,800" in shown
    found = section([drive(5, {"postgres": BUSY})])
    assert found is not None
    rates, figures, waits = (block.table for block in found.blocks)
    assert rates is not None
    assert figures is not None
    assert waits is not None
    assert list(rates.rows[0]) == ["1 old_snapshot postgres", "10.0", "0.500", "2.00", "0.0"]
    assert [row[:2] for row in figures.rows] == [
        *(("1 old_snapshot", "before"), ("", "during"), ("", "after"))
    ]
    assert waits.rows[0][:2] == ("1 old_snapshot", "CPU 100 %")
    during = figures.rows[1]
    cells = dict(zip(figures.columns, during, strict=True))
    assert cells["snapshot, s"] == "19.0"
    assert cells["notify, %"] == "25.0"
    assert cells["silent, s"] == "2"


def test_redis_has_columns_of_its_own() -> None:
    found = section(
        [
            drive(
                10,
                {
                    "redis": server(
                        {
                            redis.MEMORY: steps(MIB, 2 * MIB, 3 * MIB),
                            redis.COMMANDS: [100.0 * second for second in range(SECONDS)],
                            redis.PRIMARY: [1.0] * 30 + [0.0] * 30,
                            redis.REPLICAS: [2.0] * 30 + [0.0] * 30,
                        }
                    )
                },
            )
        ]
    )
    assert found is not None
    table = found.blocks[1].table
    assert table is not None
    cells = dict(zip(table.columns, table.rows[1], strict=True))
    assert cells["memory, MiB"] == "2.00"
    assert cells["commands/s"] == "100"
    assert (cells["primary"], cells["replicas"]) == ("1 → 0", "2 → 0")


def test_who_of_several_copies_was_the_primary_is_shown_with_how_far_others_were_behind() -> None:
    was = {postgres.PRIMARY: [1.0] * 30 + [0.0] * 30, postgres.LAG: steps(0, 3 * MIB, 0)}
    found = section([drive(10, {"postgres-1": server(was)})])
    assert found is not None
    table = found.blocks[1].table
    assert table is not None
    cells = dict(zip(table.columns, table.rows[1], strict=True))
    assert (cells["primary"], cells["lag, MiB"]) == ("1 → 0", "3.00")


def test_stack_without_a_database_has_no_such_section() -> None:
    figures = [drive(5, {})]
    assert section(figures) is None
    assert "What the store did" not in Page(page(figures, run())).text
