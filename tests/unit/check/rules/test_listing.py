"""Lists: the least that breaks a rule, with its slice, and what is innocent."""

import pytest

from testbed.record.history.model import Seen
from tests.support.history_builder import HistoryBuilder, done, queued, running


def jobs(*numbers: int) -> list[Seen]:
    return [queued(f"j{number}") for number in numbers]


def submitted(*numbers: int, history: HistoryBuilder | None = None) -> HistoryBuilder:
    history = history or HistoryBuilder()
    for number in numbers:
        history.submit(f"j{number}", (0, number))
    return history


def test_a_page_is_newest_first_and_has_no_job_twice() -> None:
    for order in ((1, 2), (2, 2)):
        history = submitted(1, 2)
        page = history.page(jobs(*order), (3, 4))
        assert history.accused() == [("list", "s", (page,))]


@pytest.mark.parametrize(("size", "number"), [(2, 3), (0, 51)])
def test_a_page_is_no_longer_than_asked_for(size: int, number: int) -> None:
    history = HistoryBuilder()
    ids = [f"j{each:03}" for each in range(number)]
    for each in ids:
        history.submit(each, (0, 1))
    page = history.page([queued(each) for each in reversed(ids)], (3, 4), page_size=size)
    assert history.accused() == [("list", "s", (page,))]


def test_a_page_obeys_its_filters() -> None:
    for filters in ({"state": "RUNNING"}, {"kind": "sleep"}):
        history = submitted(1)
        page = history.page(jobs(1), (3, 4), **filters)
        assert history.accused() == [("list", "s", (page,))]


def test_a_later_page_has_older_jobs() -> None:
    for later in (3, 2):
        history = submitted(1, 2, 3)
        first = history.page(jobs(3, 2), (4, 5), more=True)
        second = history.page(jobs(later, 1), (6, 7), number=1)
        assert history.accused() == [("list", "s", (first, second))]


def test_pages_of_which_nobody_knows_what_came_before_are_judged_each_by_itself() -> None:
    history = submitted(1, 2, 3)
    history.page(jobs(3), (4, 5), more=True, scan="")
    history.page(jobs(3, 1), (6, 7), scan="")
    assert history.accused() == []
    wrong = history.page(jobs(1, 2), (8, 9), scan="")
    assert history.accused() == [("list", f"a page for {wrong.client}", (wrong,))]


def test_a_job_that_was_there_is_in_the_list() -> None:
    history = submitted(1, 2, 3)
    page = history.page(jobs(3, 1), (4, 5), page_size=10)
    assert history.accused() == [("list", "s", (history.operations[1], page))]


def test_a_job_does_not_fall_between_two_pages() -> None:
    history = submitted(1, 2, 3)
    first = history.page(jobs(3), (4, 5), more=True)
    second = history.page(jobs(1), (6, 7), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], first, second))]


def test_only_the_pages_around_a_missing_job_are_shown() -> None:
    history = submitted(1, 2, 3, 4, 5)
    history.page(jobs(5), (6, 7), more=True)
    second = history.page(jobs(4, 2), (8, 9), number=1, more=True)
    history.page(jobs(1), (10, 11), number=2)
    assert history.accused() == [("list", "s", (history.operations[2], second))]


def test_a_job_above_the_last_one_of_a_page_is_missing_though_more_is_to_come() -> None:
    history = submitted(1, 2, 3)
    page = history.page(jobs(3, 1), (4, 5), more=True)
    assert history.accused() == [("list", "s", (history.operations[1], page))]


def test_jobs_that_came_meanwhile_may_be_in_the_list_or_not() -> None:
    history = submitted(1, 5)
    history.page(jobs(1), (5, 6))
    assert history.accused() == []


def test_a_terminal_job_is_in_the_list_of_its_state() -> None:
    history = submitted(1)
    shown = history.status(done(), (2, 3))
    page = history.page([], (4, 5), state="DONE")
    assert history.accused() == [("list", "s", (shown, page))]


def test_a_job_of_a_kind_is_in_the_list_of_the_kind() -> None:
    history = submitted(1)
    page = history.page([], (4, 5), kind="noop")
    assert history.accused() == [("list", "s", (history.operations[0], page))]


def test_a_job_may_leave_a_state_or_never_have_matched() -> None:
    history = submitted(1)
    history.status(queued(), (2, 3))
    history.page([], (4, 5), state="QUEUED", scan="queued")
    history.page([], (6, 7), state="DONE", scan="done")
    history.submit("j2", (8, 9), kind="sleep")
    history.page([running()], (10, 11), kind="noop", scan="noop")
    assert history.accused() == []


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING"])
def test_a_job_that_is_in_a_state_before_and_after_is_in_the_list_of_it(state: str) -> None:
    seen = queued() if state == "QUEUED" else running()
    history = submitted(1)
    before = history.status(seen, (2, 3))
    page = history.page([], (4, 5), state=state)
    after = history.status(seen, (6, 7))
    first = history.operations[0] if state == "QUEUED" else before
    assert history.accused() == [("list", "s", (first, page, after))]


def test_what_runs_and_is_not_finished_later_runs_in_between() -> None:
    history = submitted(1)
    before = history.status(running(), (2, 3))
    page = history.page([], (4, 5), state="RUNNING", kind="noop")
    after = history.not_finished((6, 7))
    assert history.accused() == [("list", "s", (before, page, after))]


def test_a_job_that_nobody_was_promised_is_in_the_list_of_its_state_too() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0)
    before = history.status(queued(), (2, 3))
    page = history.page([], (4, 5), state="QUEUED")
    after = history.status(queued(), (6, 7))
    assert history.accused() == [("list", "s", (before, page, after))]


def test_a_job_may_come_to_a_state_and_leave_it_while_the_list_is_read() -> None:
    history = submitted(1, 2)
    history.status(running(), (2, 5))  # it may have started when the page was there
    history.page([], (4, 6), state="RUNNING", scan="before")
    history.status(running(), (7, 8))
    history.page([], (9, 12), state="RUNNING", scan="after")
    history.status(running(), (11, 12))  # asked for before all of the page was there
    history.status(queued("j2"), (2, 3))
    history.page([], (4, 6), state="QUEUED", scan="left")
    history.status(running("j2"), (7, 8))
    assert history.accused() == []


def test_a_page_that_was_asked_for_again_is_judged_all_the_same() -> None:
    history = submitted(1, 2, 3)
    first = history.page(jobs(3), (4, 5), more=True)
    again = history.page(jobs(3), (6, 7), more=True)
    last = history.page(jobs(1), (8, 9), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], first, again, last))]


def test_each_answer_to_a_page_that_was_asked_for_again_leaves_nothing_out() -> None:
    history = submitted(1, 2, 3, 4)
    history.page(jobs(4), (5, 6), more=True)
    history.page(jobs(3, 2, 1), (7, 8), number=1)
    again = history.page(jobs(3, 1), (9, 10), number=1)
    assert history.accused() == [("list", "s", (history.operations[1], again))]


def test_a_page_goes_on_below_one_of_the_answers_to_the_page_before() -> None:
    history = submitted(1, 2, 3, 4)
    first = history.page(jobs(4), (5, 6), more=True)
    again = history.page(jobs(4, 3), (7, 8), more=True)
    last = history.page(jobs(4), (9, 10), number=1)
    assert history.accused() == [("list", "s", (first, again, last))]
    history = submitted(1, 2, 3, 4)
    history.page(jobs(4), (5, 6), more=True)
    history.page(jobs(4, 3), (7, 8), more=True)
    history.page(jobs(3, 2, 1), (9, 10), number=1)
    history.page(jobs(2, 1), (11, 12), number=1)
    assert history.accused() == []


def test_what_came_between_two_answers_to_a_page_may_be_on_either() -> None:
    history = submitted(1, 2)
    history.page(jobs(2), (3, 4), more=True)
    history.submit("j3", (5, 6))
    history.page(jobs(3, 2), (7, 8), more=True)
    history.page(jobs(1), (9, 10), number=1)
    history.page(jobs(1), (11, 12), number=1)
    assert history.accused() == []


def test_a_listing_with_an_unanswered_page_is_judged_as_far_as_it_goes() -> None:
    history = submitted(1, 2, 3)
    history.page(jobs(3), (4, 5), more=True)
    history.page([], (8, 9), number=2)  # page 1 was not answered
    assert history.accused() == []
