"""Trials of two sides, compared block by block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.record.calls import DELAY, RESPONSE, SERVICE
from testbed.record.model import (
    FAILED,
    OPEN,
    ExperimentRecording,
    Offered,
    TrialRecording,
)
from testbed.runs.compare.comparison import Comparison, compare
from testbed.runs.compare.thresholds import Threshold, check
from testbed.runs.compare.verdicts import Against, Judged


def scaled(make: Any, number: int, side: int, factor: int, calls: int = 100) -> TrialRecording:
    """A trial whose submits take ``factor`` milliseconds, ``calls`` of them in each second."""
    load = make.load(calls={"SubmitJob": {SERVICE: [1000 * factor] * calls}})
    return make.trial(header=make.header(number, side), load=load, jobs=())


def compared(trials: list[TrialRecording], blocks: int) -> Comparison:
    plan = {"blocks": blocks, "sides": ["a", "b"]}
    schedule = tuple({"number": number} for number in range(1, 2 * blocks + 1))
    return compare(ExperimentRecording(("a", "b"), plan, {}, tuple(trials), schedule))


def row_of(comparison: Comparison, name: str) -> Judged:
    (cell,) = comparison.cells
    row = cell.row(name)
    assert row is not None
    return row


def ratio_of(row: Judged) -> Against:
    """The only other side of two, against the first."""
    (against,) = row.against
    return against


def test_ratio_is_taken_within_each_block_and_then_over_them(make: Any) -> None:
    factors = [(1, 2), (2, 8), (4, 4)]
    trials = [
        scaled(make, 2 * turn + side + 1, side, factor)
        for turn, pair in enumerate(factors)
        for side, factor in enumerate(pair)
    ]
    comparison = compared(trials, 3)
    row = row_of(comparison, "SubmitJob_p50_ms")
    assert ratio_of(row).by_block == pytest.approx((2, 4, 1), rel=2e-3)
    assert ratio_of(row).estimate == pytest.approx(2, rel=2e-3)
    assert row.medians == pytest.approx((2, 4), rel=2e-3)
    ratio = ratio_of(row).ratio
    assert ratio is not None
    assert ratio.holds(2)
    assert comparison.complete


def test_void_trial_is_left_out_of_medians_and_its_block_has_no_ratio(make: Any) -> None:
    void = TrialRecording(make.header(4, 1, status=FAILED, error="x"))
    trials = [scaled(make, 1, 0, 1), scaled(make, 2, 1, 3), scaled(make, 3, 0, 5), void]
    comparison = compared(trials, 2)
    row = row_of(comparison, "SubmitJob_p50_ms")
    assert ratio_of(row).by_block[1] is None
    assert ratio_of(row).estimate == pytest.approx(3, rel=2e-3)
    assert comparison.missing == (4,)


@pytest.mark.parametrize(
    ("limits", "is_valid"),
    [
        ({}, True),
        ({"send_delay_share": 0.25}, False),
        ({"send_delay_share": 0.25, "send_delay_floor_ms": 1.0}, True),
    ],
)
def test_a_run_from_before_there_was_a_floor_for_late_sends_is_held_to_none(
    make: Any, limits: dict[str, float], is_valid: bool
) -> None:
    times = {SERVICE: [2100] * 100, DELAY: [900] * 100, RESPONSE: [3000] * 100}
    load = make.load(loop=OPEN, offered=Offered(100.0, "even", 9), calls={"SubmitJob": times})
    trial = make.trial(header=make.header(1, 0), load=load, jobs=())
    recorded = ExperimentRecording(("a", "b"), {"limits": limits}, {}, (trial,), ({"number": 1},))
    (figures,) = compare(recorded).trials
    assert figures.valid is is_valid


def test_missing_trials_make_a_comparison_incomplete(make: Any) -> None:
    comparison = compared([scaled(make, 1, 0, 1), scaled(make, 2, 1, 1)], 3)
    assert not comparison.complete
    assert comparison.blocks == 1


def test_trials_that_an_early_stop_made_needless_are_not_missing(make: Any) -> None:
    trials = (scaled(make, 1, 0, 1), scaled(make, 2, 1, 1))
    schedule = tuple({"number": number} for number in range(1, 5))
    recorded = ExperimentRecording(
        ("a", "b"), {}, {}, trials, schedule, {"reason": "", "needless": [3, 4]}
    )
    assert compare(recorded).complete


def test_side_without_a_trial_keeps_its_name(make: Any) -> None:
    for side in (0, 1):
        comparison = compared([scaled(make, 1, side, 1)], blocks=1)
        assert [cell.labels for cell in comparison.cells] == [("A", "B")]


def test_each_cell_is_compared_by_itself(make: Any) -> None:
    trials = []
    for number, (users, side, factor) in enumerate(
        [(20, 0, 1), (20, 1, 2), (5, 0, 1), (5, 1, 9)], start=1
    ):
        trial = scaled(make, number, side, factor)
        header = replace(trial.header, block=1, plan_cell={"users": users})
        trials.append(replace(trial, header=header))
    cells = compared(trials, 2).cells
    assert [cell.name for cell in cells] == ["users 5", "users 20"]
    ratios = [ratio_of(row).estimate for cell in cells if (row := cell.row("SubmitJob_p50_ms"))]
    assert ratios == pytest.approx([9, 2], rel=2e-3)


@pytest.mark.parametrize(
    ("threshold", "met"),
    [
        (Threshold("SubmitJob_p50_ms", max=3.5), [True, True]),
        (Threshold("SubmitJob_p50_ms", max=2), [True, False]),
        (Threshold("SubmitJob_p50_ms", side="a", max=2), [True]),
        (Threshold("SubmitJob_p50_ms", ratio=True, min=2.5, max=3.5), [True]),
        (Threshold("SubmitJob_p50_ms", ratio=True, max=1), [False]),
        (Threshold("completion_p99_ms", side="b", max=10**6), [False]),
    ],
)
def test_threshold_is_held_against_a_side_or_the_ratio(
    make: Any, threshold: Threshold, met: list[bool]
) -> None:
    comparison = compared([scaled(make, 1, 0, 1), scaled(make, 2, 1, 3)], 1)
    assert [each.met for each in check(comparison, [threshold])] == met


def test_counts_have_no_ratio(make: Any) -> None:
    comparison = compared([scaled(make, 1, 0, 1), scaled(make, 2, 1, 1)], 1)
    assert ratio_of(row_of(comparison, "jobs_accepted")).estimate is None


def test_too_few_samples_give_neither_value_nor_ratio(make: Any) -> None:
    trials = [scaled(make, 1, 0, 5, calls=3), scaled(make, 2, 1, 5, calls=3)]
    row = row_of(compared(trials, 1), "SubmitJob_p99_ms")
    assert row.too_few == (True, True)
    assert row.medians == (None, None)
    assert ratio_of(row).estimate is None


def test_percentile_that_one_trial_is_too_short_for_is_not_that_of_the_others(make: Any) -> None:
    long = dict.fromkeys(range(1, 7), 2000)
    for number, calls in [(1, 2000), (1, 3)]:
        counts = {**long, number: calls}
        trials = [scaled(make, each, (each + 1) % 2, 5, calls=counts[each]) for each in counts]
        row = row_of(compared(trials, 3), "SubmitJob_p99_ms")
        assert row.too_few == (calls == 3, False)
        assert (row.medians[0] is None) == (calls == 3)
        assert row.medians[1] is not None
        assert (ratio_of(row).estimate is None) == (calls == 3)


def test_sides_of_a_self_comparison_have_different_names(make: Any) -> None:
    trials = [scaled(make, 1, 0, 1), scaled(make, 2, 1, 1)]
    same = [replace(each, header=replace(each.header, design="a")) for each in trials]
    schedule = ({"number": 1}, {"number": 2})
    recorded = ExperimentRecording(("a", "a"), {}, {}, tuple(same), schedule)
    (cell,) = compare(recorded).cells
    assert cell.labels == ("A 1st", "A 2nd")
    assert cell.ratio_labels == ("2nd/1st",)
