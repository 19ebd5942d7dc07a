from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.drive.ports import TrialFailed
from testbed.record import files
from testbed.record.model import COMPLETE
from testbed.runs.bench import figures, measure, report, scaling, session
from testbed.runs.bench.client import ClientRun, Task
from testbed.runs.bench.measure import ECHO, Measurement, Measurer
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


def test_echo_server_is_measured_and_stopped_afterwards(bench: Any) -> None:
    with measure.echo_server() as echo:
        task = Task(callers=2, warmup=0, seconds=0.3, drain=False)
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        found = measurer.measure("raw", 1, echo, task)
        (pid,) = (
            each.pid
            for each in psutil.Process().children()
            if "testbed.runs.bench.echo" in each.cmdline()
        )
    assert found.run.calls > 0
    assert found.run.accepted >= found.run.calls
    assert not found.run.errors
    assert found.server_cpu_seconds > 0
    assert files.read_header(bench.home / "raw").status == COMPLETE
    assert not psutil.pid_exists(pid)


def test_stacks_and_echo_server_are_stopped_when_a_measurement_fails(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise measure.BenchFailed("no figure")

    monkeypatch.setattr(measure, "idle", lambda *_: {})
    monkeypatch.setattr(Measurer, "measure", fail)
    plan = BenchPlan(("a", "b"), rounds=1)
    before = set(psutil.Process().children())
    with pytest.raises(measure.BenchFailed, match="no figure"):
        session.run(plan, bench.home, bench.stacks, bench.interrupts, bench.progress)
    assert bench.stacks.done == ["up a", "up b", "down a", "down b"]
    started = set(psutil.Process().children()) - before
    assert not [each for each in started if each.is_running()]


def test_subject_that_accepts_nothing_is_an_error(bench: Any) -> None:
    with measure.echo_server() as echo:
        stack = replace(echo.stack, design="a", endpoints=("127.0.0.1:1",))
        nobody = replace(echo, stack=stack)
        task = Task(callers=1, warmup=0, seconds=0.2, drain=False)
        measurer = Measurer(bench.home, bench.interrupts, bench.progress)
        with pytest.raises(TrialFailed, match="A accepted nothing"):
            measurer.measure("raw", 1, nobody, task)
        assert echo.meter.read()[ECHO] is not None, "the subject stays up"


def test_costs_of_the_job_owner_are_measured_at_each_size() -> None:
    small, large = scaling.costs([100, 1000])
    assert (small.jobs, large.jobs) == (100, 1000)
    assert small.life_us > 0
    assert large.page_us > 0
