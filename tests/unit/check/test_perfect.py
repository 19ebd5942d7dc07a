"""A perfect queue is never accused, and whatever is changed in its history is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from testbed.check import Verdict, check
from testbed.record.history import files, lines
from testbed.record.history.model import (
    OPEN_END,
    CallOutcome,
    History,
    Listed,
    Operation,
    Page,
    Result,
    Seen,
    Submitted,
)
from tests.support.histories import Odds, perfect, write
from tests.unit.check import mutations


@pytest.mark.parametrize("seed", range(60))
def test_a_perfect_queue_is_never_accused(seed: int) -> None:
    verdict = check(perfect(seed, odds=Odds(kills=seed % 3)))
    assert verdict.violations == ()
    assert verdict.counts["not_looked_up"] == 0
    assert (verdict.counts["lost_with_state"] > 0) <= (seed % 3 > 0)


def test_the_simulation_shows_all_that_makes_checking_hard() -> None:
    histories = [perfect(seed, odds=Odds(indefinite=0.15, kills=2)) for seed in range(10)]
    counts = [check(history).counts for history in histories]
    assert sum(each["recovered"] for each in counts) > 10
    assert sum(each["lost_with_state"] for each in counts) > 10
    operations = [each for history in histories for each in history.operations]
    seen = [each.answer for each in operations if isinstance(each.answer, Seen)]
    assert {each.state for each in seen} == {"QUEUED", "RUNNING", *mutations.TERMINAL}
    assert max(each.attempt for each in seen) > 2
    reasons = {each.reason for each in operations}
    assert reasons >= {"JOB_NOT_FOUND", "JOB_NOT_FINISHED", "REQUEST_ID_REUSED", "QUEUE_FULL"}
    pages = [each.asked for each in operations if isinstance(each.asked, Page)]
    assert max(page.number for page in pages) > 3
    repeated = [each.asked.request_id for each in operations if isinstance(each.asked, Submitted)]
    assert len(repeated) > len(set(repeated)) + 100


def test_one_seed_makes_one_history() -> None:
    assert perfect(3, 50) == perfect(3, 50) != perfect(4, 50)


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    history = perfect(1, odds=Odds(kills=2))
    assert files.read(write(history, tmp_path / "history.jsonl")) == history


def _noticed(history: History) -> Verdict:
    verdict = check(history)
    assert not verdict.clean
    for violation in verdict.violations:
        assert violation.slice
        assert violation.text
    return verdict


SEEDS = st.integers(0, 30)


@pytest.mark.slow
@pytest.mark.parametrize("name", mutations.RECORDS)
@settings(max_examples=15)
@given(seed=SEEDS, data=st.data())
def test_a_changed_record_is_noticed(name: str, seed: int, data: st.DataObject) -> None:
    wanted, change = mutations.RECORDS[name]
    history = perfect(seed, 150)
    places = mutations.places(history, wanted)
    assume(places)
    place = data.draw(st.sampled_from(places))
    # What is left of the truth has to contradict it.
    begun = history.operations[place[0]].invoked
    assume(mutations.shown_ended(history, place, begun if "back" in name else OPEN_END))
    verdict = _noticed(
        mutations.with_record(history, place, change(mutations.record_at(history, place)))
    )
    job_id = mutations.record_at(history, place).job_id
    operation = history.operations[place[0]]
    named = {violation.subject for violation in verdict.violations}
    scan = operation.asked.scan if isinstance(operation.asked, Page) else job_id
    assert named & {job_id, scan}


def _scans(history: History) -> Iterator[tuple[int, int]]:
    """Iterate over the places in first pages of jobs that had to be there: not the last on them."""
    accepted: dict[str, int] = {}
    for each in history.operations:
        if each.call == lines.SUBMIT and isinstance(each.answer, str):
            accepted[each.answer] = min(each.completed, accepted.get(each.answer, each.completed))
    for number, each in enumerate(history.operations):
        if isinstance(each.answer, Listed) and isinstance(each.asked, Page):
            if each.asked.number or each.asked.state:
                continue
            for entry, seen in enumerate(each.answer.jobs[:-1]):
                if accepted.get(seen.job_id, each.completed) < each.invoked:
                    yield number, entry


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_a_job_that_is_left_out_of_a_list_is_noticed(seed: int, data: st.DataObject) -> None:
    history = perfect(seed, 150)
    places = list(_scans(history))
    assume(places)
    place = data.draw(st.sampled_from(places))
    verdict = _noticed(mutations.with_record(history, place))
    assert verdict.found["list"] == 1
    (violation,) = (each for each in verdict.violations if each.rule == "list")
    assert mutations.record_at(history, place).job_id in violation.text
    assert len(violation.slice) == 2


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_a_job_in_a_state_that_is_left_out_of_its_list_is_noticed(
    seed: int, data: st.DataObject
) -> None:
    """Of the jobs that are shown in the state before and after: their list is made empty."""
    history = perfect(seed, 150)
    places = list(_lists_of_states(history))
    assume(places)
    number = data.draw(st.sampled_from(places))
    assert (
        _noticed(mutations.with_changes(history, number, answer=Listed((), False))).found["list"]
        >= 1
    )


def _lists_of_states(history: History) -> Iterator[int]:
    """Iterate over first pages with a job that other answers show in the state on both sides."""
    shown: dict[tuple[str, str], list[Operation]] = {}
    for each in history.operations:
        for seen in mutations.records(each):
            shown.setdefault((seen.job_id, seen.state), []).append(each)
    for number, each in enumerate(history.operations):
        if not isinstance(each.asked, Page) or each.asked.number:
            continue
        if each.asked.state not in {"QUEUED", "RUNNING"} or not _only(history, each):
            continue
        for seen in mutations.records(each):
            others = shown[seen.job_id, seen.state]
            before = any(other.completed < each.invoked for other in others)
            if before and any(other.invoked > each.completed for other in others):
                yield number
                break


def _only(history: History, page: Operation) -> bool:
    """Say whether a page is the only one of its listing."""
    assert isinstance(page.asked, Page)
    scan = page.client, page.asked.scan
    same = (
        each
        for each in history.operations
        if isinstance(each.asked, Page) and (each.client, each.asked.scan) == scan
    )
    return sum(1 for _ in same) == 1


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_a_job_that_is_listed_twice_is_noticed(seed: int, data: st.DataObject) -> None:
    history = perfect(seed, 150)
    places = mutations.places(history, lambda operation, _: operation.call == lines.LIST)
    assume(places)
    place = data.draw(st.sampled_from(places))
    twice = mutations.record_at(history, place)
    assert _noticed(mutations.with_record(history, place, twice, twice)).found["list"] == 1


def _numbers(history: History, wanted: Callable[[Operation], bool]) -> list[int]:
    return [number for number, each in enumerate(history.operations) if wanted(each)]


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_another_result_is_noticed(seed: int, data: st.DataObject) -> None:
    history = perfect(seed, 150)
    places = _numbers(history, lambda each: isinstance(each.answer, Result))
    # One of the two answers about it is left as it is.
    asked = [history.operations[number].asked for number in places]
    places = [number for number in places if asked.count(history.operations[number].asked) > 1]
    assume(places)
    number = data.draw(st.sampled_from(places))
    result = history.operations[number].answer
    assert isinstance(result, Result)
    changed = mutations.with_changes(
        history, number, answer=structs.replace(result, digest="mutated")
    )
    assert _noticed(changed).found["terminal"] == 1


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_an_accepted_job_that_is_lost_is_noticed(seed: int, data: st.DataObject) -> None:
    history = perfect(seed, 150)
    places = _numbers(history, lambda each: each.client == "audit" and each.call != lines.LIST)
    number = data.draw(st.sampled_from(places))
    refused = {"outcome": CallOutcome.FAIL, "answer": None, "code": "NOT_FOUND"}
    assert _noticed(mutations.with_changes(history, number, **refused)).counts["lost"] == 1


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_a_repeat_that_made_another_job_is_noticed(seed: int, data: st.DataObject) -> None:
    history = perfect(seed, 150)
    submits = [each for each in history.operations if each.call == lines.SUBMIT and each.answer]
    requests = [each.asked.request_id for each in submits if isinstance(each.asked, Submitted)]
    places = _numbers(
        history,
        lambda each: (
            isinstance(each.asked, Submitted)
            and each.outcome is CallOutcome.OK
            and bool(each.asked.request_id)
            and requests.count(each.asked.request_id) > 1
        ),
    )
    assume(places)
    number = data.draw(st.sampled_from(places))
    assert (
        _noticed(mutations.with_changes(history, number, answer="v" * 16)).counts["duplicated"] == 1
    )


@settings(max_examples=40)
@given(seed=SEEDS, data=st.data())
def test_an_accepted_submit_that_is_taken_for_refused_is_noticed(
    seed: int, data: st.DataObject
) -> None:
    """What a system does that says no and runs the job all the same."""
    history = perfect(seed, 150, odds=Odds(indefinite=0.0, request_id=0.0))
    number = data.draw(
        st.sampled_from(
            _numbers(history, lambda each: each.call == lines.SUBMIT and bool(each.answer))
        )
    )
    refused = {"outcome": CallOutcome.FAIL, "answer": None, "code": "RESOURCE_EXHAUSTED"}
    assert _noticed(mutations.with_changes(history, number, **refused)).counts["unexpected"] == 1
