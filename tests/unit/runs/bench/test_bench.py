from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from testbed.drive.figures.hops import Hop, Way
from testbed.errors import TestbedError
from testbed.runs.bench import report, summary
from testbed.runs.bench.client import ClientRun
from testbed.runs.bench.measure import ECHO, Measurement
from testbed.runs.bench.plan import BenchPlan, parse_callers
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.summary import Measured, Spread

SUBMIT, CREATE = Way("client", "gateway", "SubmitJob"), Way("gateway", "job", "CreateJob")


def measurement(name: str, round_: int, calls: int, **changes: Any) -> Measurement:
    """Two seconds of so many calls of 2 ms, 500 ms of CPU and as many jobs in four seconds."""
    run = ClientRun(
        calls=calls,
        window_seconds=2.0,
        p50_ms=2.0,
        accepted=calls,
        finished=calls if name != ECHO else 0,
        job_seconds=4.0 if name != ECHO else 0.0,
    )
    values: dict[str, Any] = {
        "round": round_,
        "subject": name,
        "run": run,
        "server_cpu_seconds": 0.5,
        "rss_before": 1_000_000,
        "rss_after": 1_000_000 + 300 * calls,
        "callers": 16,
    }
    return Measurement(**{**values, **changes})


def measured(*rounds: Measurement, sides: dict[str, str] | None = None) -> Measured:
    memory = {
        "A": measurement("A", 0, 1000),
        "a@x": measurement("a@x", 0, 500, rss_after=1_300_000),
    }
    return Measured(sides or {"A": "a"}, rounds, memory, {"A": 0.02, "a@x": 0.04})


def printed(table: Table) -> str:
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as found:
        console.print(table)
    return found.get()


def test_ratios_are_to_the_echo_server_of_the_same_round_and_as_many_callers() -> None:
    echo, a = summary.summarize(
        measured(
            measurement(ECHO, 1, 1000),
            measurement("A", 1, 500),
            measurement("A", 1, 400, callers=1),
            measurement(ECHO, 1, 500, callers=1),
            # The second round is turned.
            measurement("A", 2, 200),
            measurement(ECHO, 2, 2000),
        )
    )
    one, many = a.loads
    assert (one.callers, many.callers) == (1, 16)
    assert one.figures["submit_ratio"] == Spread.of([0.8])
    assert many.figures["submit_ratio"] == Spread(pytest.approx(0.3), 0.1, 0.5)  # type: ignore[arg-type]
    assert many.figures["job_ratio"] == Spread(pytest.approx(0.15), 0.05, 0.25)  # type: ignore[arg-type]
    assert many.figures["cpu_us_per_job"] == Spread.of([1000, 2500])
    assert many.figures["cpu_ratio"] == Spread.of([2, 10])
    assert many.figures["submit_p50_ratio"] == Spread.of([1.0])
    assert (a.side, a.bytes_per_job, a.idle_cores) == ("a", 300, 0.02)
    assert echo.loads[1].figures["submits_per_second"] == Spread.of([500, 1000])
    assert echo.loads[1].figures["submit_ratio"] is None
    assert echo.loads[1].figures["jobs_per_second"] is None


def test_hops_are_for_each_job_and_what_is_not_counted_is_unknown() -> None:
    one = measurement("A", 1, 100, hops=(Hop(SUBMIT, 100, 2600), Hop(CREATE, 50, 5000, 100)))
    two = measurement("A", 2, 100, hops=(Hop(SUBMIT, 100, 2600), Hop(CREATE, 20, None, 100)))
    old = measurement("A", 3, 100, hops=(Hop(SUBMIT, 100),))
    echoes = [measurement(ECHO, each, 100) for each in (1, 2, 3)]
    _, a = summary.summarize(measured(one, two, old, *echoes))
    (load,) = a.loads
    submit, create = load.hops
    assert (submit.way, submit.calls_per_job) == (SUBMIT, Spread.of([1]))
    assert create.calls_per_job == Spread(0.2, 0, 0.5)
    assert create.bytes_per_job == Spread.of([50])
    assert create.entries_per_call == Spread(3.5, 2, 5)
    assert load.figures["internal_calls_per_job"] == Spread(0.2, 0, 0.5)
    assert load.figures["internal_bytes_per_job"] == Spread.of([50, 0])


def test_side_is_held_against_the_first_of_its_design_within_each_round() -> None:
    sides = {"a@x": "a@x", "A": "a", "B": "b"}
    rounds = [
        each
        for turn, calls in ((1, 100), (2, 400))
        for each in (
            measurement(ECHO, turn, 1000),
            measurement("a@x", turn, calls, hops=(Hop(CREATE, calls),)),
            measurement("A", turn, 2 * calls, hops=(Hop(CREATE, calls, 10),)),
            measurement("B", turn, 7, hops=()),
        )
    ]
    found = measured(*rounds, sides=sides)
    (change,) = summary.changes(found, {"a@x": "a", "A": "a", "B": "b"})
    assert (change.name, change.before) == ("A", "a@x")
    assert change.loads[16]["submits_per_second"] == Spread.of([2.0])
    assert change.loads[16]["cpu_us_per_job"] == Spread.of([0.5])
    assert change.loads[16]["internal_calls_per_job"] == Spread.of([0.5])
    assert change.loads[16]["internal_bytes_per_job"] is None
    assert (change.memory, change.idle) == (0.5, 0.5)


def test_report_shows_every_subject_and_the_json_has_plan_and_provenance(tmp_path: Path) -> None:
    hops = (Hop(SUBMIT, 500, 13_000), Hop(CREATE, 250, 10_000, 500))
    found = measured(measurement(ECHO, 1, 1000), measurement("A", 1, 500, hops=hops))
    result = summary.summarize(found)
    plan = BenchPlan(("a",))
    path = report.write(tmp_path, plan, {"python": "3"}, result, [], [OwnerCost(10, 20.0, 30.0)])
    content = json.loads(path.read_text())
    (load,) = content["subjects"][1]["loads"]
    assert load["figures"]["submit_ratio"]["median"] == 0.5
    assert load["hops"][1]["peer"] == "job"
    assert load["hops"][1]["entries_per_call"]["median"] == 2
    assert content["plan"]["callers"] == [1, 16, 64]
    assert content["provenance"] == {"python": "3"}
    assert [column.header for column in report.table(result).columns] == ["", "", "echo", "A"]
    (row,) = [
        each for each in printed(report.hops_table(result[1])).splitlines() if "Create" in each
    ]
    assert row.split() == ["gateway", "→", "job", "CreateJob", "0.500", "20.0", "2.00"]


def test_four_sides_with_three_numbers_of_callers_fit_a_hundred_columns() -> None:
    sides = {name: name.lower() for name in ("a@1234567", "A", "b@1234567", "B")}
    ways = [Way("coordinator", "queue", "RemoveJobIfPresent"), Way("worker", "job", "Fetch")]
    rounds = [
        measurement(name, turn, 6_000 * turn, callers=callers, hops=hops)
        for turn in (1, 2)
        for callers in (1, 16, 64)
        for name in (ECHO, *sides)
        for hops in [tuple(Hop(way, 5_543 * turn, 7_234_567 * turn, 55_432) for way in ways)]
    ]
    found = measured(*rounds, sides=sides)
    result = summary.summarize(found)
    changes = summary.changes(found, {name: name[0].lower() for name in sides})
    wide = Console(width=1000)
    assert wide.measure(report.table(result)).maximum <= 100
    assert wide.measure(report.changes_table(changes)).maximum <= 100
    assert wide.measure(report.hops_table(result[1])).maximum <= 100


def test_subjects_and_callers_take_turns() -> None:
    plan = BenchPlan(("a", "b"), callers=(1, 16))
    assert [plan.order(turn) for turn in (1, 2)] == [["echo", "A", "B"], ["B", "A", "echo"]]
    assert [plan.levels(turn) for turn in (1, 2)] == [[1, 16], [16, 1]]


def test_equal_sides_are_told_apart() -> None:
    assert list(BenchPlan(("a", "a")).deployments()) == ["A 1st", "A 2nd"]


def test_numbers_of_callers_are_read_in_order_and_impossible_ones_refused() -> None:
    assert parse_callers("64,1, 16,1") == (1, 16, 64)
    for wrong in ("", "0", "1,2000", "many"):
        with pytest.raises(TestbedError, match="--callers"):
            parse_callers(wrong)
