"""Ids: the least that breaks a rule, with its slice, and what is innocent."""

from tests.support.history_builder import HistoryBuilder, queued

HOME_0, HOME_1 = "c2h430npimg00000", "c2h430npimg10000"


def test_ids_sort_by_creation() -> None:
    history = HistoryBuilder(ids="")
    history.maybe_submit(0)
    history.maybe_submit(0)
    second = history.status(queued("j2", create_us=99), (1, 2))
    first = history.status(queued("j1", create_us=100), (1, 3))
    history.status(queued("j3", create_us=100), (4, 5))
    history.maybe_submit(0)
    assert history.accused() == [("ids", "j2", (second, first))]


SAME_OWNER = "c2h430npim000000"


def test_ids_of_one_owner_are_in_the_order_of_acceptance() -> None:
    history = HistoryBuilder()
    first = history.submit(HOME_0, (0, 10))
    second = history.submit(SAME_OWNER, (11, 12))
    assert SAME_OWNER < HOME_0
    assert history.accused() == [("ids", SAME_OWNER, (first, second))]


def test_ids_of_one_form_with_ours_are_not_judged_as_ours_unless_the_history_says_so() -> None:
    history = HistoryBuilder(ids="")
    history.submit(HOME_0, (0, 10))
    history.submit(SAME_OWNER, (11, 12))
    assert history.accused() == []


def test_ids_may_be_in_another_order_where_it_cannot_be_known_or_kept() -> None:
    history = HistoryBuilder()
    history.submit(HOME_0, (0, 10))
    history.submit(SAME_OWNER, (9, 12))  # at the same time
    history.submit(HOME_1, (13, 14))
    history.submit("c2h430npim020000", (15, 16))  # of other owners, by other clocks
    history.maybe_submit(5, request_id="r")
    history.submit("c2h430npilo00000", (17, 18), request_id="r")  # made when it was submitted first
    history.submit("j2", (19, 20))
    history.submit("j1", (21, 22))  # of a system of which nothing is known
    assert history.accused() == []
