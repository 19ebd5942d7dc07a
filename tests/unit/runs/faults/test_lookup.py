"""The lookup of every job after a fault run, against a real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.record.history import files
from testbed.record.history.model import CallOutcome, Listed, Page, Result, Seen
from testbed.record.history.writer import HistoryWriter
from testbed.runs.faults.lookup import CLIENT, lookup
from tests.support import inprocess, jobs
from tests.support.client import Client


@pytest.fixture
def endpoint() -> Iterator[str]:
    with inprocess.serving(slots=4) as served:
        yield served


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    made = Client([endpoint])
    yield made
    made.close()


def test_status_and_result_of_every_job_are_asked_for_and_recorded(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    accepted = [client.submit(jobs.sleep(20)) for _ in range(12)]
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = lookup([endpoint], accepted[:-1], 30, writer)
    writer.close()

    rows = found.jobs
    assert found.problem == ""
    assert [row.job_id for row in rows] == sorted(accepted)
    assert {row.state for row in rows} == {"DONE"}, "it waits until they have ended"
    assert [row.job_id for row in rows if not row.accepted] == [accepted[-1]]
    history = files.read(tmp_path)
    assert {each.client for each in history.operations} == {CLIENT}
    asked = Counter((each.call, str(each.asked)) for each in history.operations)
    for job_id in accepted:
        assert asked["GetJobStatus", job_id] == asked["GetJobResult", job_id] == 1
    kinds = {type(each.answer) for each in history.operations if each.outcome is CallOutcome.OK}
    assert kinds == {Seen, Result, Listed}
    (whole,) = [
        each
        for each in history.operations
        if isinstance(each.asked, Page) and each.asked.scan and isinstance(each.answer, Listed)
    ]
    assert isinstance(whole.answer, Listed)
    assert {each.job_id for each in whole.answer.jobs} == set(accepted)


def test_a_job_that_is_unknown_has_a_problem_and_a_definite_answer(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    unknown = client.submit(jobs.noop())[:-1] + "0"
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    rows = {row.job_id: row for row in lookup([endpoint], [unknown], 30, writer).jobs}
    writer.close()

    assert rows[unknown].state in {"", "MISSING"}
    assert rows[unknown].problem
    answers = [each for each in files.read(tmp_path).operations if each.asked == unknown]
    assert [each.outcome for each in answers] == [CallOutcome.FAIL] * 2


def test_jobs_that_do_not_end_are_looked_up_as_they_are_and_are_a_problem(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    job_id = client.submit(jobs.sleep(600_000))
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = lookup([endpoint], [], 0.1, writer)
    writer.close()

    (row,) = found.jobs
    assert row.state in {"QUEUED", "RUNNING"}
    assert f"running 0.1 s after the load: 1, the first is {job_id}" in found.problem
    client.cancel(job_id)


def test_endpoints_out_of_reach_are_asked_again_and_leave_indefinite_calls(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path / "history-audit.jsonl", "a")

    found = lookup(["127.0.0.1:1"], ["0000000000000000"], 0.0, writer)
    writer.close()

    (row,) = found.jobs
    assert "not all jobs could be listed: UNAVAILABLE" in found.unlisted
    assert "UNAVAILABLE" in row.problem
    operations = files.read(tmp_path).operations
    assert {each.outcome for each in operations} == {CallOutcome.INDEFINITE}
    assert Counter(each.call for each in operations)["GetJobStatus"] > 1
