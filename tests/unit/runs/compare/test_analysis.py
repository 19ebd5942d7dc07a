from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from testbed.drive.figures import budget, inside, resources
from testbed.drive.figures import quantiles as percentiles
from testbed.drive.figures.trial import analyse
from testbed.record.calls import SERVICE, blank
from testbed.record.model import (
    FAILED,
    GENERATOR,
    STACK,
    ExperimentRecording,
    ResourceRow,
    TrialRecording,
    Window,
)
from testbed.runs.compare.comparison import Comparison, block_ratios, compare, ratio_of
from testbed.runs.compare.thresholds import Threshold, check
from testbed.runs.compare.verdicts import Judged


def values_of(trial: TrialRecording) -> dict[str, float | None]:
    return {name: figure.value for name, figure in analyse(trial).figures.items()}


def test_percentiles_of_a_histogram_are_those_of_the_values_within_a_thousandth() -> None:
    source = random.Random(1)
    values = [int(source.lognormvariate(7, 1)) + 1 for _ in range(20_000)]
    ordered = sorted(values)
    recorded = blank()
    for value in values:
        recorded.record_value(value)
    for percent in (50, 95, 99):
        figure = percentiles.of_histogram(recorded, percent, 1.0)
        assert figure.value == pytest.approx(ordered[200 * percent - 1], rel=1e-3)


def test_percentile_of_values_is_the_nearest_rank() -> None:
    assert percentiles.of_values(range(1, 1001), 50).value == 500
    assert percentiles.of_values(range(1, 1001), 99).value == 990


@pytest.mark.parametrize(("percent", "needed"), [(50, 20), (95, 200), (99, 1000)])
def test_percentile_needs_ten_samples_beyond_it(percent: float, needed: int) -> None:
    enough = percentiles.of_values([1.0] * needed, percent)
    fewer = percentiles.of_values([1.0] * (needed - 1), percent)
    assert (enough.value, enough.too_few) == (1.0, False)
    assert (fewer.value, fewer.too_few, fewer.samples) == (None, True, needed - 1)


def test_no_samples_are_not_called_too_few() -> None:
    assert not percentiles.of_values([], 50).too_few
    assert not percentiles.of_histogram(blank(), 50, 1.0).too_few


def test_cpu_is_interpolated_at_the_edges_of_the_window() -> None:
    rows = [
        ResourceRow(unix, STACK, "one", cpu, 0)
        for unix, cpu in ((0, 10), (4, 14), (8, 22), (9, 22))
    ]
    # At 2 s the counter stood at 12, at 6 s at 18.
    assert resources.cpu_seconds(rows, STACK, Window(2, 6)) == pytest.approx(6)


def test_cpu_of_all_processes_of_a_role_is_added_and_others_are_left_out() -> None:
    rows = [
        ResourceRow(unix, role, name, unix * rate, 0)
        for unix in range(11)
        for role, name, rate in ((STACK, "one", 0.5), (STACK, "two", 0.25), (GENERATOR, "g", 9))
    ]
    assert resources.cpu_seconds(rows, STACK, Window(2.5, 4.5)) == pytest.approx(1.5)


def test_counter_stands_still_outside_its_samples() -> None:
    rows = [ResourceRow(unix, STACK, "one", unix, 0) for unix in (3.0, 4.0)]
    assert resources.cpu_seconds(rows, STACK, Window(0, 10)) == pytest.approx(1)
    assert resources.cpu_seconds(rows, GENERATOR, Window(0, 10)) is None


def test_peak_memory_is_of_one_moment_not_a_sum_of_peaks() -> None:
    rows = [
        ResourceRow(0, STACK, "one", 0, 10),
        ResourceRow(0, STACK, "two", 0, 1),
        ResourceRow(1, STACK, "one", 0, 2),
        ResourceRow(1, STACK, "two", 0, 7),
    ]
    assert resources.peak_rss(rows, STACK) == 11


def test_figures_of_a_known_trial(make: Any) -> None:
    figures = values_of(make.trial())
    assert figures["requests_per_second"] == pytest.approx(100)
    assert figures["jobs_per_second"] == pytest.approx(10)
    assert figures["SubmitJob_p50_ms"] == pytest.approx(1, rel=1e-3)
    assert figures["completion_p50_ms"] == pytest.approx(21)
    assert figures["queue_wait_p50_ms"] == pytest.approx(1)
    assert figures["stack_cores"] == pytest.approx(0.5)
    assert figures["generator_cores"] == pytest.approx(0.25)
    assert figures["cpu_ms_per_job"] == pytest.approx(5000 / 100)
    assert figures["peak_rss_mib"] == pytest.approx(200)
    assert figures["jobs_accepted"] == 100
    assert figures["jobs_lost"] == 0


def test_jobs_count_by_their_finish_in_the_window_and_time_by_their_creation_in_it(
    make: Any,
) -> None:
    jobs = [make.job(number, 1, 0, 0.01) for number in range(20)]
    jobs.append(make.job(90, -1.0, 0, 1.5))  # created before, finished within: counts, not timed
    jobs += [make.job(100 + number, 9.9, 0, 3.0) for number in range(5)]  # timed, does not count
    figures = analyse(make.trial(jobs=jobs)).figures
    assert figures["jobs_per_second"].samples == 21
    assert figures["completion_p50_ms"].samples == 25


def test_canceled_jobs_are_no_finished_jobs(make: Any) -> None:
    jobs = [make.job(number, 1, 0, 0.01) for number in range(20)]
    jobs += [make.job(100 + number, 1, 0, 9.0, state="CANCELED") for number in range(10)]
    figures = analyse(make.trial(jobs=jobs)).figures
    assert figures["jobs_per_second"].samples == 20
    assert figures["completion_p50_ms"].samples == 20


def test_failed_jobs_are_finished_jobs(make: Any) -> None:
    jobs = [make.job(number, 1, 0, 0.01, state="FAILED") for number in range(20)]
    assert analyse(make.trial(jobs=jobs)).figures["jobs_per_second"].samples == 20


def test_cost_per_job_is_not_given_without_finished_jobs(make: Any) -> None:
    assert values_of(make.trial(jobs=()))["cpu_ms_per_job"] is None


def test_lost_job_voids_the_trial_and_is_named(make: Any) -> None:
    lost = make.job(1, 1, 0, 0.01, state="MISSING", problem="NOT_FOUND: lost")
    trial = analyse(make.trial(jobs=[lost, make.job(2, 1, 0, 0.01)]))
    assert not trial.valid
    assert [job.job_id for job in trial.lost] == [lost.job_id]
    assert trial.problems == ("1 of 2 accepted jobs lost",)


def test_job_that_nobody_was_promised_is_noted_and_not_lost(make: Any) -> None:
    stray = make.job(1, 1, 0, 0.01, accepted=False)
    trial = analyse(make.trial(jobs=[stray, make.job(2, 1, 0, 0.01)]))
    assert trial.valid
    assert any("1 jobs exist" in warning for warning in trial.warnings)


def test_trial_without_answers_is_void(make: Any) -> None:
    whole = make.trial()
    silent = make.load(calls={"SubmitJob": {SERVICE: []}}, rows={"indefinite": [3] + [0] * 9})
    trial = analyse(replace(whole, load=silent, jobs=()))
    assert trial.problems == ("no call was answered in the measured window",)
    assert trial.figures["errors_indefinite"].value == 3


def test_failed_trial_has_no_figures_and_says_why(make: Any) -> None:
    failed = TrialRecording(make.header(status=FAILED, error="port 1 is taken"))
    trial = analyse(failed)
    assert not trial.figures
    assert trial.problems == ("failed: port 1 is taken",)


def test_generator_near_a_full_core_is_warned_of(make: Any) -> None:
    hot = tuple(make.cpu(STACK, "one", 0.5) + make.cpu(GENERATOR, "locust", 0.9))
    assert not analyse(make.trial()).warnings
    assert "load generator used 0.90" in analyse(make.trial(resources=hot)).warnings[0]


def test_hole_in_the_samples_is_warned_of(make: Any) -> None:
    whole = make.trial()
    holed = tuple(row for row in whole.resources if not 1002 < row.unix < 1006)
    assert "no CPU sample for 4" in analyse(replace(whole, resources=holed)).warnings[0]


def scaled(make: Any, number: int, side: int, factor: int, calls: int = 100) -> TrialRecording:
    """A trial whose submits take ``factor`` milliseconds, ``calls`` of them in each second."""
    load = make.load(calls={"SubmitJob": {SERVICE: [1000 * factor] * calls}})
    return make.trial(header=make.header(number, side), load=load, jobs=())


def compared(trials: list[TrialRecording], blocks: int) -> Comparison:
    plan = {"blocks": blocks, "designs": ["a", "b"]}
    schedule = tuple({"number": number} for number in range(1, 2 * blocks + 1))
    return compare(ExperimentRecording(("a", "b"), plan, {}, tuple(trials), schedule))


def row_of(comparison: Comparison, name: str) -> Judged:
    (cell,) = comparison.cells
    row = cell.row(name)
    assert row is not None
    return row


def test_ratio_is_taken_within_each_block_and_then_over_them(make: Any) -> None:
    factors = [(1, 2), (2, 8), (4, 4)]
    trials = [
        scaled(make, 2 * turn + side + 1, side, factor)
        for turn, pair in enumerate(factors)
        for side, factor in enumerate(pair)
    ]
    comparison = compared(trials, 3)
    row = row_of(comparison, "SubmitJob_p50_ms")
    assert block_ratios(row) == pytest.approx((2, 4, 1), rel=2e-3)
    assert ratio_of(row) == pytest.approx(2, rel=2e-3)
    assert row.medians == pytest.approx((2, 4), rel=2e-3)
    assert row.ratio is not None
    assert row.ratio.holds(2)
    assert comparison.complete


def test_void_trial_is_left_out_of_medians_and_its_block_has_no_ratio(make: Any) -> None:
    void = TrialRecording(make.header(4, 1, status=FAILED, error="x"))
    trials = [scaled(make, 1, 0, 1), scaled(make, 2, 1, 3), scaled(make, 3, 0, 5), void]
    comparison = compared(trials, 2)
    row = row_of(comparison, "SubmitJob_p50_ms")
    assert block_ratios(row)[1] is None
    assert ratio_of(row) == pytest.approx(3, rel=2e-3)
    assert comparison.missing == (4,)


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
    ratios = [ratio_of(row) for cell in cells if (row := cell.row("SubmitJob_p50_ms"))]
    assert ratios == pytest.approx([9, 2], rel=2e-3)


@pytest.mark.parametrize(
    ("threshold", "met"),
    [
        (Threshold("SubmitJob_p50_ms", max=3.5), [True, True]),
        (Threshold("SubmitJob_p50_ms", max=2), [True, False]),
        (Threshold("SubmitJob_p50_ms", design="a", max=2), [True]),
        (Threshold("SubmitJob_p50_ms", ratio=True, min=2.5, max=3.5), [True]),
        (Threshold("SubmitJob_p50_ms", ratio=True, max=1), [False]),
        (Threshold("completion_p99_ms", design="b", max=10**6), [False]),
    ],
)
def test_threshold_is_held_against_a_side_or_the_ratio(
    make: Any, threshold: Threshold, met: list[bool]
) -> None:
    comparison = compared([scaled(make, 1, 0, 1), scaled(make, 2, 1, 3)], 1)
    assert [each.met for each in check(comparison, [threshold])] == met


def test_counts_have_no_ratio(make: Any) -> None:
    comparison = compared([scaled(make, 1, 0, 1), scaled(make, 2, 1, 1)], 1)
    assert ratio_of(row_of(comparison, "jobs_accepted")) is None


def test_too_few_samples_give_neither_value_nor_ratio(make: Any) -> None:
    trials = [scaled(make, 1, 0, 5, calls=3), scaled(make, 2, 1, 5, calls=3)]
    row = row_of(compared(trials, 1), "SubmitJob_p99_ms")
    assert row.too_few == (True, True)
    assert row.medians == (None, None)
    assert ratio_of(row) is None


def test_percentile_that_one_trial_is_too_short_for_is_not_that_of_the_others(make: Any) -> None:
    long = dict.fromkeys(range(1, 7), 2000)
    for number, calls in [(1, 2000), (1, 3)]:
        counts = {**long, number: calls}
        trials = [scaled(make, each, (each + 1) % 2, 5, calls=counts[each]) for each in counts]
        row = row_of(compared(trials, 3), "SubmitJob_p99_ms")
        assert row.too_few == (calls == 3, False)
        assert (row.medians[0] is None) == (calls == 3)
        assert row.medians[1] is not None
        assert (ratio_of(row) is None) == (calls == 3)


def test_sides_of_a_self_comparison_have_different_names(make: Any) -> None:
    trials = [scaled(make, 1, 0, 1), scaled(make, 2, 1, 1)]
    same = [replace(each, header=replace(each.header, design="a")) for each in trials]
    (cell,) = compared(same, 1).cells
    assert cell.labels == ("A 1st", "A 2nd")
    assert cell.ratio_label == "2nd/1st"


def budgeted(make: Any, **throttled: float) -> Any:
    """A trial of two processes with half a core each, throttled for these shares of the time."""
    rows = tuple(
        replace(
            row,
            throttled_seconds=throttled[row.process] * (row.unix - 990),
            periods=round(10 * (row.unix - 990)),
            throttled_periods=round(5 * (row.unix - 990)),
        )
        if row.role == STACK
        else row
        for row in make.trial().resources
    )
    limits = {"cpus": 0.5, "memory_bytes": 200 << 20}
    header = make.header(budget={"one": limits, "two": limits})
    return make.trial(header=header, resources=rows)


def test_use_of_a_budget_is_that_of_the_window(make: Any) -> None:
    trial = budgeted(make, one=0.5, two=0.0)
    one, two = budget.uses(trial, trial.load.after_nominal)
    assert (one.process, one.cpu_limit_cores, one.memory_limit_bytes) == ("one", 0.5, 200 << 20)
    assert (one.cpu_cores, two.cpu_cores) == (pytest.approx(0.2), pytest.approx(0.3))
    assert (one.cpu_share, two.cpu_share) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (one.throttled_share, two.throttled_share) == (pytest.approx(0.5), 0)
    assert one.throttled_periods_share == pytest.approx(0.5, abs=0.01)
    assert (one.memory_peak_bytes, one.memory_share) == (100 << 20, 0.5)
    assert (one.held_back, two.held_back) == (True, False)


def test_process_without_a_limit_has_no_share_of_it(make: Any) -> None:
    trial = make.trial()
    one, _ = budget.uses(trial, trial.load.after_nominal)
    assert one.cpu_cores == pytest.approx(0.2)
    shares = (one.cpu_share, one.memory_share, one.throttled_share, one.throttled_periods_share)
    assert shares == (None, None, None, None)
    assert not one.held_back


@pytest.mark.parametrize(("share", "warned"), [(0.06, True), (0.04, False)])
def test_process_that_is_throttled_much_is_warned_of(make: Any, share: float, warned: bool) -> None:
    warnings = analyse(budgeted(make, one=share, two=0.0)).warnings
    assert any("throttled by the CPU limit" in each and "one 6%" in each for each in warnings) is (
        warned
    )


def test_tidy_rows_have_the_use_of_a_budget_where_there_is_one(make: Any) -> None:
    def figures(trial: Any) -> dict[str, float | None]:
        rows = inside.rows(trial, trial.load.after_nominal)
        return {row.metric: row.value for row in rows if row.process == "one"}

    found = figures(budgeted(make, one=0.5, two=0.0))
    assert found["cpu_limit_cores"] == 0.5
    assert found["cpu_limit_share"] == pytest.approx(0.4)
    assert found["throttled_share"] == pytest.approx(0.5)
    assert found["throttled_periods_share"] == pytest.approx(0.5, abs=0.01)
    assert (found["memory_limit_mib"], found["memory_limit_share"]) == (200, 0.5)
    assert figures(make.trial()).keys() == {"cpu_cores", "cpu_ms_per_job", "rss_max_mib"}
