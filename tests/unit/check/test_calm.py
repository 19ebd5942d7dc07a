"""What holds where nothing was disturbed: the least that breaks it, and what is innocent."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.check import check
from testbed.cli.main import make_app
from testbed.record.history.model import History
from tests.support.histories import Odds, perfect, write
from tests.support.history_builder import HistoryBuilder, done, queued, running

SECOND = 1_000_000


def accused(history: HistoryBuilder) -> list[tuple[str, str, tuple[object, ...]]]:
    history.operations.sort(key=lambda operation: operation.invoked)
    verdict = check(History(tuple(history.operations), design="b"), calm=True)
    return [(each.rule, each.subject, each.slice) for each in verdict.violations]


def test_a_second_attempt_is_wrong_where_nothing_was_disturbed() -> None:
    history = HistoryBuilder()
    submit = history.submit("j1", (0, 10))
    history.status(running(), (11, 20))
    again = history.status(running(attempt=2), (21, 30))
    history.status(done(attempt=2), (31, 40))
    assert accused(history) == [("calm-once", "j1", (submit, again))]
    assert history.accused() == [], "without the promise of calm it is right to run a job again"


def canceled_while_running() -> HistoryBuilder:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.cancel(running(cancel_requested=True), (11, 20))
    return history


def test_a_job_that_runs_on_after_its_cancel_is_noticed() -> None:
    history = canceled_while_running()
    observation = history.status(
        running(cancel_requested=True), (20 + 10 * SECOND + 1, 20 + 11 * SECOND)
    )
    assert accused(history) == [("calm-cancel", "j1", (history.operations[1], observation))]


def test_a_job_whose_result_is_refused_long_after_its_cancel_runs_on() -> None:
    history = canceled_while_running()
    observation = history.not_finished((20 + 12 * SECOND, 20 + 12 * SECOND + 5))
    assert accused(history) == [("calm-cancel", "j1", (history.operations[1], observation))]


def test_a_job_that_ended_long_after_its_cancel_is_noticed_by_its_own_times() -> None:
    history = canceled_while_running()
    end = 100 + 11 * SECOND
    observation = history.status(
        done(finish_us=end, cancel_requested=True), (12 * SECOND, 12 * SECOND + 5)
    )
    assert accused(history) == [("calm-cancel", "j1", (history.operations[1], observation))]


@pytest.mark.parametrize(
    "seen",
    [
        done(finish_us=100 + 9 * SECOND, cancel_requested=True),
        running(cancel_requested=True, state="CANCELED", finish_us=100 + 9 * SECOND),
    ],
)
def test_a_job_that_ended_soon_after_its_cancel_is_right(seen) -> None:
    history = canceled_while_running()
    history.status(running(cancel_requested=True), (5 * SECOND, 5 * SECOND + 5))
    history.status(seen, (20 * SECOND, 20 * SECOND + 5))
    assert accused(history) == []


def test_a_job_is_not_older_than_the_first_submit_with_its_request_id() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, 5, request_id="r")
    history.submit("j1", (30 * SECOND, 30 * SECOND + 5), request_id="r")
    history.cancel(running(cancel_requested=True), (30 * SECOND + 6, 30 * SECOND + 9))
    end = 100 + 35 * SECOND
    history.status(done(finish_us=end, cancel_requested=True), (50 * SECOND, 51 * SECOND))
    assert accused(history) == []


def test_a_cancel_of_a_job_that_waits_has_no_bound() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.status(queued(), (11, 20 * SECOND))
    history.status(running(), (21 * SECOND, 22 * SECOND))
    assert accused(history) == []


def test_a_history_with_faults_is_not_calm() -> None:
    history = HistoryBuilder()
    history.fault((0, 10))
    with pytest.raises(ValueError, match="1 faults"):
        check(History((), tuple(history.faults), "b"), calm=True)


@pytest.mark.parametrize("seed", range(10))
def test_a_perfect_queue_in_which_nothing_is_disturbed_is_not_accused(seed: int) -> None:
    assert check(perfect(seed, odds=Odds(crash=0.0)), calm=True).violations == ()


def test_the_command_judges_calm_only_where_it_is_asked_to(tmp_path: Path) -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.status(done(attempt=2), (11, 20))
    write(History(tuple(history.operations), design="b"), tmp_path / "history.jsonl")
    runner = CliRunner()
    assert runner.invoke(make_app(), ["check", str(tmp_path)]).exit_code == 0
    result = runner.invoke(make_app(), ["check", str(tmp_path), "--calm"])
    assert result.exit_code == 1
    assert "BROKEN 1 times  calm-once" in result.stdout


def test_the_command_refuses_to_call_a_history_with_faults_calm(tmp_path: Path) -> None:
    write(perfect(1, 50, odds=Odds(kills=1)), tmp_path / "history.jsonl")
    result = CliRunner().invoke(make_app(), ["check", str(tmp_path), "--calm"])
    assert result.exit_code == 2
    assert "leave --calm out" in result.stderr
