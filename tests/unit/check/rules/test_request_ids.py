"""Duplicates and request ids: the least that breaks a rule, its slice, and what is innocent."""

from tests.support.history_builder import HistoryBuilder


def test_equal_request_ids_make_one_job() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    history.submit("j1", (11, 12), request_id="r")
    second = history.submit("j2", (13, 14), request_id="r")
    history.submit("j2", (15, 16), request_id="r")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_other_submits_make_other_jobs() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j1", (11, 12))
    assert history.accused() == [("duplicated", "j1", (first, second))]


def test_a_request_id_is_not_accepted_for_another_job() -> None:
    history = HistoryBuilder()
    first = history.submit("j1", (0, 10), request_id="r")
    second = history.submit("j1", (11, 12), request_id="r", digest="other")
    assert history.accused() == [("duplicated", "r", (first, second))]


def test_equal_jobs_without_request_ids_are_two() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10))
    history.submit("j2", (0, 10))
    history.submit("j3", (0, 10), request_id="r1")
    history.submit("j4", (0, 10), request_id="r2")
    assert history.accused() == []


def test_a_request_id_that_nobody_used_is_not_reused() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10), request_id="other")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    history.submit("j2", (13, 14), request_id="r", digest="x")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_is_not_reused_for_the_same_job() -> None:
    history = HistoryBuilder()
    history.submit("j1", (0, 10), request_id="r")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_that_was_refused_is_free() -> None:
    history = HistoryBuilder()
    history.refused_submit((0, 10), "QUEUE_FULL", "r", "x")
    refused = history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r")
    assert history.accused() == [("request-ids", "r", (refused,))]


def test_a_request_id_may_be_used_by_any_submit_under_way() -> None:
    history = HistoryBuilder()
    history.maybe_submit(0, request_id="r")
    history.refused_submit((11, 12), "REQUEST_ID_REUSED", "r", "other")
    history.refused_submit((20, 40), "QUEUE_FULL", "q", "x")
    history.refused_submit((30, 31), "REQUEST_ID_REUSED", "q", "y")
    assert history.accused() == []
