from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.runs.bench import figures, report
from testbed.runs.bench.client import ClientRun
from testbed.runs.bench.measure import ECHO, Measurement
from testbed.runs.bench.scaling import OwnerCost
from testbed.runs.bench.session import BenchPlan


def measurement(name: str, round_: int, calls: int, **changes: Any) -> Measurement:
    run = ClientRun(
        calls=calls, window_seconds=2.0, accepted=calls, finished=calls, job_seconds=4.0
    )
    values: dict[str, Any] = {
        "round": round_,
        "subject": name,
        "run": run,
        "server_cpu_seconds": 0.5,
        "rss_before": 1_000_000,
        "rss_after": 1_000_000 + 300 * calls,
    }
    return Measurement(**{**values, **changes})


def test_ratios_are_to_the_echo_server_of_the_same_round() -> None:
    rounds = [
        measurement(ECHO, 1, 1000),
        measurement("a", 1, 500),
        measurement(ECHO, 2, 2000),
        measurement("a", 2, 200),
    ]
    echo, a = figures.summarize(rounds, {"a": measurement("a", 0, 1000)}, {"a": 0.02})
    assert (echo.submits_per_second.median, echo.submit_ratio, echo.jobs_per_second) == (
        750,
        None,
        None,
    )
    assert a.submit_ratio == figures.Spread(pytest.approx(0.3), 0.1, 0.5)  # type: ignore[arg-type]
    assert a.job_ratio is not None
    assert a.job_ratio.greatest == pytest.approx(0.25)
    assert a.cpu_us_per_call.median == pytest.approx((1000 + 2500) / 2)
    assert (a.bytes_per_job, a.idle_cores) == (300, 0.02)


def test_report_shows_every_subject_and_the_json_has_plan_and_provenance(tmp_path: Path) -> None:
    rounds = [measurement(ECHO, 1, 1000), measurement("a", 1, 500)]
    result = figures.summarize(rounds, {}, {})
    path = report.write(
        tmp_path, BenchPlan(("a",)), {"python": "3"}, result, [OwnerCost(10, 20.0, 30.0)]
    )
    content = json.loads(path.read_text())
    assert content["subjects"]["a"]["submit_ratio"]["median"] == 0.5
    assert content["plan"]["callers"] == 16
    assert content["provenance"] == {"python": "3"}
    assert [column.header for column in report.table(result).columns] == ["", "", "echo", "A"]


def test_designs_take_turns() -> None:
    plan = BenchPlan(("a", "b"))
    assert [plan.order(turn) for turn in (1, 2, 3)] == [["a", "b"], ["b", "a"], ["a", "b"]]
