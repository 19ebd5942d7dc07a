"""The study of noise on a few of its runs: what the verdict says of trials that were recorded."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from studies.noise import recorded
from studies.noise.counts import RULES, equal_sides, seen
from studies.noise.recorded import CONDITIONS, read
from studies.noise.windows import windows
from testbed.runs.compare.report import rebuild
from testbed.runs.compare.report.headlines import HEADLINES
from tests.support.experiments import Experiment, plan


@pytest.mark.parametrize("condition", CONDITIONS)
def test_at_least_two_hundred_trials_are_there_with_the_metrics_that_a_report_begins_with(
    condition: str,
) -> None:
    data = read(condition)
    assert len(data.values) >= 200
    assert (data.values > 0).all()
    names = {each.name for each in data.metrics}
    # Noise does not touch a count, and the trials were run before there was this one.
    timed = {name for name in HEADLINES if name != "internal_calls_per_job"}
    assert {name for name in timed if "p99" not in name} <= names


@pytest.mark.parametrize("condition", CONDITIONS)
def test_runs_of_equal_sides_seldom_name_a_difference_and_intervals_hold_the_truth(
    condition: str,
) -> None:
    """A tenth of all runs; over all of them it is below 5 %, and 95 % (docs/noise-study.md)."""
    found = equal_sides(islice(windows(read(condition), 5, 16), 0, None, 10))
    assert found.runs > 280
    assert found.named <= 0.06
    assert 0.93 <= found.held <= 0.97


def test_known_difference_is_named_more_often_with_more_blocks() -> None:
    data = read("quiet")
    index = data.place("cpu_ms_per_job")
    shares = [
        seen(list(islice(windows(data, blocks, 1), 0, None, 4)), index, 0.1) for blocks in (3, 15)
    ]
    assert shares[0] < 0.5
    assert shares[1] > 0.9


def test_every_rule_judges_every_metric() -> None:
    run = next(windows(read("quiet"), 5, 1))
    assert {name: len(rule(run)) for name, rule in RULES.items()} == dict.fromkeys(
        RULES, len(run.metrics)
    )


def test_run_has_its_trials_in_mirrored_blocks() -> None:
    data = read("quiet")
    run = next(windows(data, 3, 4))
    for block in range(3):
        trials = data.values[4 * block : 4 * block + 4]
        outer, inner = trials[[0, 3]], trials[[1, 2]]
        sides = run.first[block], run.second[block]
        assert (np.array_equal(sides[0], outer) and np.array_equal(sides[1], inner)) or (
            np.array_equal(sides[0], inner) and np.array_equal(sides[1], outer)
        )


def test_results_are_collected_into_a_row_for_each_valid_trial(tmp_path: Path) -> None:
    folder = tmp_path / "aa" / "1"
    Experiment(plan=plan(sides=["b", "b"]), blocks=2, void={3: "x"}).write(folder)
    rebuild.write(folder)
    names, rows = recorded.collect([folder])
    assert "cpu_ms_per_job" in names
    assert "stack_cores" not in names
    assert len(rows) == 3
