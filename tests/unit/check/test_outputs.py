"""Outputs that a payload decides: what they are, and what the checker makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.check import check
from testbed.record.history import files, lines
from testbed.record.history.messages import asked_of, digest
from testbed.record.history.model import History, Submitted
from testbed.record.history.outputs import output_of
from tests.support.histories import perfect, write
from tests.support.history_builder import HistoryBuilder


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("sleep", b'{"jitter": 0.5}'),
        ("sleep", b'{"failure_probability": 1, "seed": 3}'),
        ("sleep", b"{"),
        ("word_count", b"\xff"),
        ("fail", b""),
        ("no_such_kind", b""),
    ],
)
def test_random_or_undecided_output_is_not_known(kind: str, payload: bytes) -> None:
    assert output_of(kind, payload) is None


def test_a_submit_says_in_its_history_what_the_output_has_to_be(tmp_path: Path) -> None:
    job = pb.JobSpec(kind="sleep", payload=json.dumps({"milliseconds": 7}).encode())
    asked = asked_of(pb.SubmitJobRequest(job=job))
    assert isinstance(asked, Submitted)
    assert asked.output == digest(b'{"milliseconds":7.0}')
    history = HistoryBuilder()
    history.answered(lines.SUBMIT, asked, (0, 10), "j1")
    history = History(tuple(history.operations), design="b")
    assert files.read(write(history, tmp_path / "history.jsonl")) == history


def _submit(
    history: HistoryBuilder, job: str, output: str, request_id: str = "", digest: str = "d"
) -> object:
    asked = Submitted("noop", digest, request_id, output)
    return history.answered(lines.SUBMIT, asked, (0, 10), job)


def test_an_output_of_another_payload_is_noticed() -> None:
    history = HistoryBuilder()
    one, other = _submit(history, "j1", "one"), _submit(history, "j2", "other")
    first = history.result((11, 20), "j1", digest="other")
    second = history.result((11, 20), "j2", digest="one")
    assert history.accused() == [
        ("right-output", "j1", (one, first)),
        ("right-output", "j2", (other, second)),
    ]


def test_outputs_that_are_right_or_that_nothing_decides_are_innocent() -> None:
    history = HistoryBuilder()
    _submit(history, "j1", "one")
    _submit(history, "j2", "")
    history.result((11, 20), "j1", digest="one")
    history.result((11, 20), "j2", digest="anything")
    history.result((11, 20), "j3", digest="of a job that nobody is known to have submitted")
    assert "right-output" not in {rule for rule, *_ in history.accused()}


def test_a_job_that_did_not_succeed_has_no_output_to_compare() -> None:
    history = HistoryBuilder()
    _submit(history, "j1", "one")
    history.result((11, 20), "j1", state="FAILED", digest="", failure="boom")
    assert history.accused() == []


def test_submits_of_different_jobs_that_share_one_say_nothing_of_its_output() -> None:
    history = HistoryBuilder()
    _submit(history, "j1", "one", "r", "d1")
    _submit(history, "j1", "other", "r", "d2")
    history.result((11, 20), "j1", digest="one")
    assert {rule for rule, *_ in history.accused()} == {"duplicated"}


@pytest.mark.parametrize("seed", range(5))
def test_a_perfect_queue_gives_right_outputs_and_every_other_is_noticed(seed: int) -> None:
    history = perfect(seed, 150)
    right = _with_outputs(history, lambda job_id: digest(job_id.encode()))
    wrong = _with_outputs(history, lambda job_id: digest(job_id[::-1].encode()))
    assert check(right).violations == ()
    done = {
        each.asked
        for each in history.operations
        if each.call == lines.RESULT and getattr(each.answer, "state", "") == "DONE"
    }
    accepted = {each.answer for each in history.operations if each.call == lines.SUBMIT}
    assert check(wrong).found["right-output"] == len(done & accepted) > 0


def _with_outputs(history: History, output) -> History:
    return replace(
        history,
        operations=tuple(
            replace(each, asked=replace(each.asked, output=output(each.answer)))
            if isinstance(each.asked, Submitted) and isinstance(each.answer, str)
            else each
            for each in history.operations
        ),
    )
