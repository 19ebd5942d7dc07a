"""The figures of one trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.drive.figures.trial import analyse
from testbed.record.calls import SERVICE
from testbed.record.model import (
    FAILED,
    GENERATOR,
    STACK,
    TrialRecording,
)


def values_of(trial: TrialRecording) -> dict[str, float | None]:
    return {name: figure.value for name, figure in analyse(trial).figures.items()}


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
