"""The cut of a trial: nominal, found, or none; and the same for every figure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed.drive.figures import warmup
from testbed.drive.figures.trial import analyse
from testbed.record.calls import RESPONSE, SERVICE
from testbed.record.model import OPEN, Offered, Step, Window
from testbed.runs.compare.report import inside, rebuild
from tests.support.experiments import Experiment

CHANGES_AT = 12
NOISE = np.random.default_rng(8).normal(0, 3, 60)


def calls(counts: Sequence[float], us: Sequence[int] | int = 1000, kind: str = SERVICE) -> Any:
    """The calls of each second: how many, and their time."""
    times = us if isinstance(us, Sequence) else [us] * len(counts)
    return {
        second: {"SubmitJob": {each: [time] * round(count) for each in {SERVICE, kind}}}
        for second, (count, time) in enumerate(zip(counts, times, strict=True))
    }


def steady(seconds: int = 60) -> list[float]:
    return [100 + each for each in NOISE[:seconds]]


def stepped() -> list[float]:
    return [each - 40 * (second < CHANGES_AT) for second, each in enumerate(steady())]


def test_steady_drive_is_measured_from_its_nominal_warm_up(make: Any) -> None:
    load = make.load(seconds=60, warmup=4.0, per_second=calls(steady()))
    cut = warmup.cut(load)
    assert cut.window == load.after_nominal
    assert (cut.warmup, cut.kind, cut.problem) == (4, warmup.NOMINAL, "")


def test_throughput_that_settles_late_is_cut_where_it_settles(make: Any) -> None:
    load = make.load(seconds=60, warmup=4.0, per_second=calls(stepped()))
    cut = warmup.cut(load)
    assert cut.kind == warmup.FOUND
    assert cut.warmup == CHANGES_AT
    assert cut.window.to_unix == load.window.to_unix
    assert "answered calls" in cut.why


def test_open_loop_that_settles_in_latency_alone_is_cut_where_it_settles(make: Any) -> None:
    times = [5000 if second < CHANGES_AT else 1000 + second % 7 for second in range(60)]
    load = make.load(
        seconds=60,
        warmup=4.0,
        loop=OPEN,
        offered=Offered(100.0, "even", 1000),
        calls={},
        per_second=calls([100.0] * 60, times, RESPONSE),
    )
    cut = warmup.cut(load)
    assert (cut.kind, cut.warmup) == (warmup.FOUND, CHANGES_AT)
    assert cut.why.startswith("the latency")


def test_drive_that_warms_up_for_more_than_half_of_its_time_is_void(make: Any) -> None:
    late = [each - 40 * (second < 40) for second, each in enumerate(steady())]
    load = make.load(seconds=60, warmup=4.0, per_second=calls(late))
    trial = analyse(make.trial(jobs=(), load=load))
    (problem,) = trial.problems
    assert "still warming" in problem
    assert trial.cut is not None
    assert trial.cut.window == load.after_nominal


@pytest.mark.parametrize("changes", [{"seconds": 20}, {"steps": ("low", "high")}])
def test_too_short_or_stepped_drives_are_cut_at_the_nominal_warm_up(
    make: Any, changes: dict[str, Any]
) -> None:
    seconds = changes.get("seconds", 60)
    steps = [
        Step(index, label, 1.0, Window(1000, 1060))
        for index, label in enumerate(changes.get("steps", ()))
    ]
    series = calls(stepped()[:seconds])
    load = make.load(seconds=seconds, warmup=4.0, steps=steps, per_second=series)
    cut = warmup.cut(load)
    assert (cut.kind, cut.warmup, cut.problem) == (warmup.NOMINAL, 4, "")


def test_second_without_an_answer_is_no_reason_to_fail(make: Any) -> None:
    series = {**calls(steady()), 30: {"SubmitJob": {SERVICE: []}}}
    assert warmup.cut(make.load(seconds=60, per_second=series)).problem == ""


def test_every_figure_of_a_trial_is_of_the_same_seconds(make: Any) -> None:
    """Jobs, calls and CPU differ before the cut, so each shows where it was cut."""
    load = make.load(
        seconds=60,
        warmup=4.0,
        per_second=calls(stepped(), [9000] * CHANGES_AT + [1000] * (60 - CHANGES_AT)),
    )
    jobs = [
        make.job(second, second + 0.1, 0.001, 0.9 if second < CHANGES_AT else 0.1)
        for second in range(60)
    ]
    trial = analyse(make.trial(jobs=jobs, load=load))
    answered = sum(row.answered for row in load.seconds[CHANGES_AT:])
    assert trial.figures["requests_per_second"].samples == answered
    assert trial.figures["SubmitJob_p99_ms"].value == pytest.approx(1.0, rel=1e-3)
    assert trial.figures["completion_p50_ms"].samples == 60 - CHANGES_AT
    assert any("measured from 12.0 s on" in warning for warning in trial.warnings)
    assert inside.measured(make.trial(jobs=jobs, load=load)) == Window(1012.0, 1060.0)


def test_files_say_where_each_trial_was_cut_and_why(tmp_path: Path) -> None:
    folder = Experiment(blocks=2).write(tmp_path / "results" / "synthetic" / "1")
    rebuilt = rebuild.write(folder)
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["warmup_s"], row["warmup_cut"]) for row in rows} == {("3", warmup.NOMINAL)}
    assert {each.cut.why for each in rebuilt.comparison.trials if each.cut} != {""}
    assert '"cut": "nominal"' in (folder / "comparison.json").read_text()


@pytest.mark.parametrize("at", [6, 20, 45])
def test_stall_of_a_second_is_measured_not_cut_off(make: Any, at: int) -> None:
    varied = [round(1000 + 20 * each) for each in NOISE[::-1]]
    series = {**calls(steady(), varied), at: {"SubmitJob": {SERVICE: [50_000] * 5}}}
    load = make.load(seconds=60, warmup=4.0, per_second=series)
    assert warmup.cut(load).window == load.after_nominal
    assert warmup.cut(load).problem == ""
