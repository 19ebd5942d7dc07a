"""Objectives, how drives are judged by them, and how the designs take turns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.stack_spec import StackSpec
from testbed.drive.figures.validity import Limits
from testbed.errors import TestbedError
from testbed.record.calls import DELAY, RESPONSE, SERVICE, CallSeries, Window
from testbed.record.files import read_json
from testbed.record.model import (
    COMPLETE,
    OPEN,
    JobRow,
    LoadRecording,
    Offered,
    Second,
    TrialHeader,
    TrialRecording,
)
from testbed.runs.capacity import judge, report, session, slo
from testbed.runs.capacity.judge import Judgement
from testbed.runs.capacity.plan import CapacityPlan, check, parse_users
from testbed.runs.capacity.search import DriveVerdict, SearchOutcome, SearchPlan, Stage
from testbed.runs.capacity.session import CapacityResult, SearchStep
from tests.unit.runs.calibrate.recordings import interval

START = 1000
SECONDS = 10
RATE = 200
SLO = slo.parse("p99=100ms,SubmitJob.p95=50ms,errors=1%,completion=500ms")
LIMITS = Limits()


def jobs(grows: float = 0.0, completion: float = 0.1) -> tuple[JobRow, ...]:
    """100 jobs a second that finish after ``completion`` seconds, the later ones ``grows`` more."""
    rows = []
    for number in range(SECONDS * 100):
        created = START + number / 100
        finished = created + completion + grows * number / 100
        rows.append(
            JobRow(
                f"{number:016d}",
                accepted=True,
                state="DONE",
                create_us=round(created * 1e6),
                finish_us=round(finished * 1e6),
            )
        )
    return tuple(rows)


def load(ms: float = 10.0, delay_ms: float = 0.5, **changes: Any) -> LoadRecording:
    """200 calls a second, two of which are slow in every hundred."""
    second: dict[str, Any] = {"due": RATE, "sent": RATE, "answered": RATE, "generator_cpu": 0.3}
    second |= changes
    times = [ms] * 198 + [ms * 2] * 2
    kinds = {SERVICE: times, DELAY: [delay_ms] * RATE, RESPONSE: [x + delay_ms for x in times]}
    span = range(START, START + SECONDS)
    series = {
        kind: {unix: interval(values) for unix in span} if second["answered"] else {}
        for kind, values in kinds.items()
    }
    return LoadRecording(
        window=Window(START, START + SECONDS),
        loop=OPEN,
        offered=Offered(RATE, "even", 1000),
        nominal_warmup=0,
        steps=(),
        seconds=tuple(Second(unix=each, **second) for each in span),
        calls={"SubmitJob": CallSeries("SubmitJob", series)},
        accepted_ids=frozenset(),
    )


def trial(recorded: LoadRecording | None = None, rows: Sequence[JobRow] = ()) -> TrialRecording:
    header = TrialHeader(number=1, block=1, position=1, side=0, design="a", status=COMPLETE)
    return TrialRecording(header, recorded or load(), tuple(rows) or jobs())


def test_drive_that_keeps_everything_holds_and_says_by_how_much() -> None:
    judged = judge.judge(trial(), SLO, LIMITS)
    assert judged.verdict is DriveVerdict.HELD
    assert "p99 10.5 ms" in judged.reason
    assert "completion p99 100 ms" in judged.reason
    assert judged.figures["sent_per_second"] == RATE
    assert judged.figures["backlog_growth_per_second"] == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (trial(load(ms=120)), "p99 is 120.5 ms, 100 ms are allowed"),
        (trial(load(ms=60)), "SubmitJob.p95 is 60.5 ms, 50 ms are allowed"),
        (trial(load(answered=196, indefinite=4)), "errors are 2.00% of the calls"),
        (trial(load(sent=180, dropped=20, answered=180)), "20 of them"),
        (trial(rows=jobs(completion=0.8)), "completion p99 is 800 ms"),
        (trial(rows=jobs(grows=0.5)), "the backlog grows by"),
        (trial(load(answered=0)), "no call was answered"),
    ],
)
def test_drive_that_breaks_the_objective_fails_with_the_reason(
    recording: TrialRecording, reason: str
) -> None:
    judged = judge.judge(recording, SLO, LIMITS)
    assert judged.verdict is DriveVerdict.FAILED
    assert reason.replace("20 of them", "of them unsent") in judged.reason


def test_lost_job_fails_a_drive() -> None:
    lost = replace(jobs()[0], state="MISSING", problem="NOT_FOUND")
    judged = judge.judge(trial(rows=(lost, *jobs()[1:])), SLO, LIMITS)
    assert judged == replace(judged, verdict=DriveVerdict.FAILED, reason="1 accepted jobs lost")


def test_trial_that_did_not_complete_fails_with_its_error() -> None:
    header = replace(trial().header, status="failed", error="worker ended while driven\nlog ...")
    judged = judge.judge(TrialRecording(header), SLO, LIMITS)
    assert (judged.verdict, judged.reason) == (DriveVerdict.FAILED, "worker ended while driven")


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (load(ms=120, generator_cpu=0.99), "the load generator ran out of CPU"),
        (load(ms=120, delay_ms=200), "calls were sent late"),
        (load(ms=120, sent=150, answered=150), "the offered rate was missed"),
    ],
)
def test_slow_answers_count_for_nothing_if_the_generator_was_at_its_end(
    recording: LoadRecording, reason: str
) -> None:
    judged = judge.judge(trial(recording), SLO, LIMITS)
    assert judged.verdict is DriveVerdict.VOID
    assert reason in judged.reason


def test_late_sends_of_a_drive_that_holds_all_the_same_void_nothing_and_are_said() -> None:
    judged = judge.judge(trial(load(ms=3, delay_ms=0.9)), SLO, LIMITS)
    assert judged.verdict is DriveVerdict.HELD
    assert "sent late by p50 0.90 ms and p99 0.90 ms" in judged.reason
    assert judged.figures["sent_late_p50_ms"] == pytest.approx(0.9, rel=0.01)


def test_an_objective_that_is_missed_by_what_the_generator_adds_is_no_failure_of_the_side() -> None:
    judged = judge.judge(trial(load(ms=3, delay_ms=1.5)), slo.parse("p50=4ms"), LIMITS)
    assert judged.verdict is DriveVerdict.VOID
    assert "p50 is 4.5 ms, 4 ms are allowed, but calls were sent late" in judged.reason


def test_an_objective_that_is_missed_by_more_than_late_sends_explain_is_a_failure() -> None:
    judged = judge.judge(trial(load(ms=5, delay_ms=0.9)), slo.parse("p50=3.5ms"), LIMITS)
    assert (judged.verdict, judged.reason) == (
        DriveVerdict.FAILED,
        "p50 is 5.9 ms, 3.5 ms are allowed",
    )


@pytest.mark.parametrize(
    "recording", [load(ms=3, generator_cpu=0.99), load(ms=3, sent=150, answered=150)]
)
def test_a_generator_at_its_end_voids_also_a_drive_that_would_hold(
    recording: LoadRecording,
) -> None:
    lax = slo.parse("p99=100ms")
    assert judge.judge(trial(recording), lax, LIMITS).verdict is DriveVerdict.VOID


def test_growing_backlog_is_the_designs_own_whatever_the_generator_did() -> None:
    judged = judge.judge(trial(load(generator_cpu=0.99), jobs(grows=0.5)), SLO, LIMITS)
    assert judged.verdict is DriveVerdict.FAILED


def test_percentile_of_too_few_calls_is_no_proof() -> None:
    judged = judge.judge(trial(), slo.parse("p99.9=100ms"), LIMITS)
    assert judged.verdict is DriveVerdict.FAILED
    assert "too few calls for p99.9" in judged.reason


def test_growth_of_a_backlog_is_jobs_per_second() -> None:
    # Each job takes half a second longer for every second: a third of the jobs stays.
    grown = judge.backlog_growth(jobs(grows=0.5), Window(START + 1, START + SECONDS))
    assert grown == pytest.approx(100 / 3, rel=0.05)


def test_throughput_of_a_closed_loop_is_what_was_answered() -> None:
    judged = judge.throughput(trial(), LIMITS)
    assert judged == Judgement(DriveVerdict.HELD, "", {"calls_per_second": RATE})
    assert judge.throughput(trial(load(generator_cpu=0.99)), LIMITS).verdict is DriveVerdict.VOID


def test_objective_is_read_and_written_again() -> None:
    assert SLO.latencies[1] == slo.Latency(95, 50, "SubmitJob")
    assert SLO.errors == pytest.approx(0.01)
    assert SLO.words() == (
        "p99 of all response times ≤ 100 ms, SubmitJob.p95 of response times ≤ 50 ms, "
        "errors ≤ 1 % of the calls, p99 of completion times ≤ 500 ms, no growing backlog"
    )
    assert slo.parse("p50=1.5s").latencies[0].ms == 1500


@pytest.mark.parametrize(
    "text",
    ["", "p99", "p99=100", "p0=1ms", "p100=1ms", "errors=1", "speed=1ms", "p99=1ms,p99=2ms"],
)
def test_text_that_is_no_objective_is_refused_by_its_part(text: str) -> None:
    with pytest.raises(TestbedError, match="--slo"):
        slo.parse(text)


def test_low_rate_is_driven_until_the_percentile_is_known() -> None:
    plan = CapacityPlan()
    assert plan.drive_seconds(1000, confirm=False) == 8
    assert plan.drive_seconds(1000, confirm=True) == 16
    assert plan.drive_seconds(50, confirm=False) == 60
    assert plan.drive_seconds(2, confirm=False) == 120


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sides": ("a", "a")}, "several different ones"),
        ({"spec": StackSpec(0)}, "--slots"),
        ({"repeats": 0}, "--repeats"),
    ],
)
def test_impossible_plan_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TestbedError, match=reason):
        check(CapacityPlan(**changes), ["sleep"])


def test_users_of_the_sweep_are_read() -> None:
    assert parse_users("8,1,2,4,4") == (1, 2, 4, 8)
    assert parse_users("") == ()
    for text in ("1,2", "a,b,c,d", "0,1,2,3"):
        with pytest.raises(TestbedError, match="--users"):
            parse_users(text)


class FakeDriver:
    """Designs with a known capacity, and throughput that follows the scalability law."""

    def __init__(self, capacities: dict[str, float], generator: float = 1e9) -> None:
        self.capacities = capacities
        self.generator = generator
        self.driven: list[tuple[str, float]] = []
        self.confirmed: list[bool] = []
        self.rng = random.Random(1)

    def open_loop(self, side: str, rate: float, confirm: bool) -> Judgement:
        self.driven.append((side, rate))
        self.confirmed.append(confirm)
        if rate > self.generator:
            return Judgement(DriveVerdict.VOID, "the load generator ran out of CPU")
        held = rate <= self.capacities[side]
        return Judgement(
            DriveVerdict.HELD if held else DriveVerdict.FAILED,
            "p99 10 ms",
            {"sent_per_second": rate},
        )

    def closed_loop(self, side: str, users: int) -> Judgement:
        self.driven.append((side, users))
        if users > 16:
            return Judgement(DriveVerdict.VOID, "the load generator ran out of CPU", {})
        rate = 100 * users / (1 + 0.1 * (users - 1) + 0.002 * users * (users - 1))
        rate *= 1 + self.rng.uniform(-0.01, 0.01)
        return Judgement(DriveVerdict.HELD, "", {"calls_per_second": rate})


def found(driver: FakeDriver, designs: Sequence[str] = ("a", "b")) -> CapacityResult:
    result = CapacityResult()
    session.search_all(designs, SearchPlan(), driver, result)
    return result


def test_each_design_gets_its_own_capacity_and_they_take_turns() -> None:
    driver = FakeDriver({"a": 300, "b": 700})
    result = found(driver)
    assert result.searches["a"].held == pytest.approx(300, rel=0.1)
    assert result.searches["b"].held == pytest.approx(700, rel=0.1)
    assert [design for design, _ in driver.driven[:8]] == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert driver.confirmed == [step.stage is Stage.CONFIRM for step in result.steps]
    assert any(driver.confirmed)


def test_words_of_a_result_give_both_ends_and_the_votes() -> None:
    plan = CapacityPlan()
    words = list(report.verdicts(plan, found(FakeDriver({"a": 300, "b": 1}))))
    assert words[0].startswith("Design A holds 28")
    assert "(2 of 2 confirming drives held) and does not hold 30" in words[0]
    assert words[1] == "Design B does not hold the objective even at 2 calls/s."


def test_generator_at_its_end_is_named_and_no_capacity_given() -> None:
    result = found(FakeDriver({"a": 9999}, generator=500), ["a"])
    assert result.searches["a"].outcome is SearchOutcome.GENERATOR
    (words,) = report.verdicts(CapacityPlan(), result)
    assert "the load generator is the limit, not the side" in words
    assert "This is no capacity" in words


def test_void_drives_alone_give_no_figure_but_the_rates_the_reason_and_what_helps() -> None:
    result = found(FakeDriver({"a": 9999}, generator=1), ["a"])
    assert result.searches["a"].outcome is SearchOutcome.NOTHING
    (words,) = report.verdicts(CapacityPlan(), result)
    assert words.startswith(
        "Design A: no figure. The drives at 100, 50 and 25 calls/s are void, the last because the "
        "load generator ran out of CPU."
    )
    assert "What helps: take other work off the machine" in words


def test_words_of_a_result_say_that_late_sends_are_in_the_response_times() -> None:
    result = CapacityResult()
    for ms in (0.4, 0.9):
        judged = judge.judge(trial(load(ms=3, delay_ms=ms)), SLO, LIMITS)
        result.steps.append(SearchStep("a", Stage.CLIMB, RATE, judged))
    (words,) = report.verdicts(CapacityPlan(), result)
    assert words.startswith("Response times begin when a call was due")
    assert "at most 0.90 ms at p50 and 0.90 ms at p99 in the drives that held" in words


def test_sweep_finds_the_law_from_what_counts() -> None:
    result, driver = CapacityResult(), FakeDriver({})
    session.sweep_all(["a", "b"], (1, 2, 4, 8, 16, 32), 2, 1, driver, result)
    assert len(result.points) == 24
    fit = result.fit("a")
    assert fit is not None
    assert fit.sigma.estimate == pytest.approx(0.1, abs=0.03)
    assert fit.kappa.estimate == pytest.approx(0.002, abs=0.002)
    assert [each.calls_per_second for each in result.points if each.users == 32] == [None] * 4


def test_repeats_of_a_sweep_come_in_different_orders_and_pairs_stay_together() -> None:
    result, driver = CapacityResult(), FakeDriver({})
    session.sweep_all(["a", "b"], (1, 2, 4, 8), 2, 1, driver, result)
    orders = [each.users for each in result.points]
    assert orders[0:8:2] == orders[1:8:2]
    assert orders[:8] != orders[8:]


def test_result_is_written_with_every_step_and_its_reason(tmp_path: Path) -> None:
    plan, driver = CapacityPlan(), FakeDriver({"a": 300, "b": 700})
    result = found(driver)
    session.sweep_all(plan.sides, plan.users, 1, 1, driver, result)
    written = read_json(report.write(tmp_path, plan, {"command": "x"}, result, complete=True))
    assert written["sides"]["a"]["outcome"] == "found"
    assert len(written["steps"]) == len(result.steps)
    assert all(step["reason"] for step in written["steps"])
    assert written["sides"]["b"]["usl"]["sigma"]["estimate"] > 0
    lines = (tmp_path / "steps.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(result.steps)
    assert report.steps_table(result).row_count == len(result.steps)
    assert report.sweep_table(plan.sides, result).row_count == len(plan.users)
    assert "Universal Scalability Law" in " ".join(report.verdicts(plan, result))
