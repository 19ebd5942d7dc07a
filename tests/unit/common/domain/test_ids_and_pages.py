"""Ids sort by time and name their home; pages continue only the query that they came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import errors, ids, paging
from common.domain.errors import InvalidArgument, InvalidPageToken, MalformedJobId, TaskQueueError
from common.domain.job import Job, JobState
from common.domain.paging import JobPage, JobQuery

TIMES = st.integers(1, 2**52 - 1_000)


@given(st.lists(TIMES, min_size=2, max_size=20), st.integers(0, 255), st.integers(0, 2**20 - 1))
def test_ids_of_one_home_rise_whatever_the_clock_does(
    times: list[int], home: int, boot: int
) -> None:
    mint = ids.IdMint(home, boot)
    made = [mint.next(time) for time in times]
    assert made == sorted(set(made))


@given(TIMES, st.integers(0, 255), st.integers(0, 2**20 - 1))
def test_an_id_gives_back_what_it_was_made_of(time: int, home: int, boot: int) -> None:
    assert ids.parse(ids.IdMint(home, boot).next(time)) == ids.ParsedId(time, home, boot)


@given(TIMES, TIMES)
def test_ids_of_different_homes_sort_by_time(one: int, other: int) -> None:
    first, second = ids.IdMint(5, 1).next(one), ids.IdMint(0, 2).next(other)
    assert (first < second) == (one < other)


@pytest.mark.parametrize(
    ("job_id", "after"), [("0" * 16, "0" * 15 + "1"), ("0" * 14 + "9v", "0" * 14 + "a0")]
)
def test_the_successor_of_an_id_is_the_lowest_above_it(job_id: str, after: str) -> None:
    assert ids.successor(job_id) == after


@pytest.mark.parametrize("text", ["", "x", "0" * 15, "0" * 17, "w" * 16, "A" * 16, "0" * 15 + "\n"])
def test_other_texts_are_malformed(text: str) -> None:
    with pytest.raises(MalformedJobId) as caught:
        ids.parse(text)
    assert caught.value.metadata["field"] == "job_id"


def jobs(*numbers: int) -> list[Job]:
    mint = ids.IdMint(0, 0)
    made = {
        number: Job(mint.next(number), "noop", JobState.DONE, number) for number in (1, 2, 3, 4)
    }
    return [made[number] for number in numbers]


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (2**31 - 1, 1000)])
def test_page_size_has_a_default_and_a_cap(asked: int, given: int) -> None:
    assert paging.open_query(None, "", asked, "").limit == given


def test_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        paging.open_query(None, "", -1, "")
    assert caught.value.metadata["field"] == "page_size"


def test_token_continues_after_the_last_job_of_its_page() -> None:
    page = paging.close_page(JobQuery(limit=2), jobs(4, 3, 2))
    query = paging.open_query(None, "", 7, page.next_page_token)
    assert (query.before, query.limit) == (jobs(3)[0].id, 7)


def test_last_page_has_no_token() -> None:
    assert paging.close_page(JobQuery(limit=2), jobs(4, 3)).next_page_token == ""


@pytest.mark.parametrize(("state", "kind"), [(JobState.DONE, ""), (None, "noop")])
def test_token_of_another_query_is_refused(state: JobState | None, kind: str) -> None:
    page = paging.close_page(JobQuery(limit=1), jobs(2, 1))
    with pytest.raises(InvalidPageToken, match="other filters"):
        paging.open_query(state, kind, 1, page.next_page_token)


@given(st.text(max_size=60))
def test_any_other_text_is_a_damaged_token(text: str) -> None:
    if text:
        with pytest.raises(InvalidPageToken):
            paging.open_query(None, "", 1, text)


def test_pages_of_several_homes_merge_into_one_list() -> None:
    query = JobQuery(limit=2)
    page = paging.merge_pages(
        query, [JobPage(tuple(jobs(4, 1)), ""), JobPage(tuple(jobs(3)), ""), JobPage((), "")]
    )
    assert list(page.jobs) == jobs(4, 3)
    assert page.next_page_token


def test_merged_page_goes_on_if_one_home_has_more() -> None:
    query = JobQuery(limit=2)
    more = paging.close_page(query, jobs(4, 3, 2))
    assert paging.merge_pages(query, [more, JobPage((), "")]).next_page_token
    assert not paging.merge_pages(query, [JobPage(tuple(jobs(4, 3)), "")]).next_page_token


def all_errors(root: type[TaskQueueError]) -> list[type[TaskQueueError]]:
    return [root, *(leaf for branch in root.__subclasses__() for leaf in all_errors(branch))]


@pytest.mark.parametrize("kind", all_errors(TaskQueueError))
def test_errors_survive_the_wire(kind: type[TaskQueueError]) -> None:
    rebuilt = errors.from_wire(kind.reason, "text", {"a": "b"})
    assert (rebuilt.reason, rebuilt.code, rebuilt.definite) == (
        kind.reason,
        kind.code,
        kind.definite,
    )
    assert (rebuilt.message, rebuilt.metadata) == ("text", {"a": "b"})
