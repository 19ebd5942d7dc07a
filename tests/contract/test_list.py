"""Lists: order, filters, pages."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import jobs
from tests.support.client import CANCELED, DONE, FAILED, QUEUED, RUNNING, Client, pb


def _finish(client: Client, job_ids: list[str]) -> list[str]:
    for job_id in job_ids:
        client.wait(job_id)
    return job_ids


def _fill(client: Client, count: int, job: pb.JobSpec) -> list[str]:
    """Make ``count`` finished jobs, from several threads."""
    with ThreadPoolExecutor(8) as pool:
        return _finish(client, list(pool.map(lambda _: client.submit(job), range(count))))


def test_newest_jobs_come_first(client: Client) -> None:
    job_ids = [client.submit(jobs.noop()) for _ in range(20)]
    listed = [job.job_id for job in client.list(page_size=20).jobs]
    assert listed == job_ids[::-1]


def test_a_listed_job_is_the_same_as_its_status(client: Client) -> None:
    job_ids = _finish(client, [client.submit(job) for job in (jobs.noop(), jobs.fail("no"))])
    listed = {job.job_id: job for job in client.list(page_size=10).jobs}
    for job_id in job_ids:
        assert listed[job_id] == client.status(job_id)


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1000])
def test_pages_of_any_size_make_the_whole_list(client: Client, page_size: int) -> None:
    job_ids = [client.submit(jobs.noop()) for _ in range(15)]
    listed: list[str] = []
    for page in client.pages(page_size=page_size):
        assert len(page.jobs) <= page_size
        listed += [job.job_id for job in page.jobs]
        if len(listed) >= 15:
            break
    assert listed[:15] == job_ids[::-1]


def test_every_endpoint_gives_the_same_list(client: Client) -> None:
    _finish(client, [client.submit(jobs.noop()) for _ in range(12)])
    pages = [list(calls.list(page_size=12).jobs) for calls in client.at]
    assert all(page == pages[0] for page in pages)


def test_a_page_from_one_endpoint_goes_on_at_another(client: Client) -> None:
    job_ids = [client.submit(jobs.noop()) for _ in range(12)]
    listed, token = [], ""
    for turn in range(6):
        page = client.at[turn % len(client.at)].list(page_size=2, page_token=token)
        listed += [job.job_id for job in page.jobs]
        token = page.next_page_token
    assert listed == job_ids[::-1]


def test_the_default_page_has_fifty_jobs(client: Client) -> None:
    _fill(client, 51, jobs.noop())
    page = client.list()
    assert len(page.jobs) == 50
    assert page.next_page_token


@pytest.mark.slow
def test_a_page_is_capped_at_a_thousand_jobs_however_long_their_failures_are(
    client: Client,
) -> None:
    longest = "\U0001f4a5" * 1000
    job_ids = _fill(client, 1100, jobs.fail(longest))
    for size in (1001, 5000, 2**31 - 1):
        page = client.list(FAILED, "fail", size)
        assert len(page.jobs) == 1000
        assert page.next_page_token
    assert page.ByteSize() < 4 << 20, "a client takes as much without options"
    listed = {job.job_id: job.failure.message for job in client.all_jobs(FAILED, "fail")}
    assert {listed[job_id] for job_id in job_ids} == {longest}


def test_the_last_page_and_no_other_has_an_empty_token(client: Client) -> None:
    _finish(client, [client.submit(jobs.word_count("one two")) for _ in range(4)])
    total = len(client.all_jobs(DONE, "word_count"))

    assert not client.list(DONE, "word_count", page_size=total).next_page_token
    assert client.list(DONE, "word_count", page_size=total - 1).next_page_token
    first = client.list(DONE, "word_count", page_size=total - 1)
    last = client.list(DONE, "word_count", total - 1, first.next_page_token)
    assert (len(last.jobs), last.next_page_token) == (1, "")


def test_a_list_of_nothing_is_one_empty_page(client: Client) -> None:
    page = client.list(kind="no_such_kind")
    assert (list(page.jobs), page.next_page_token) == ([], "")


def test_a_repeat_of_a_page_token_gives_the_same_page(client: Client) -> None:
    _finish(client, [client.submit(jobs.noop()) for _ in range(6)])
    token = client.list(page_size=2).next_page_token
    client.run(jobs.noop())
    first, second = (client.list(page_size=2, page_token=token) for _ in range(2))
    assert first == second


def test_filters_by_kind_and_state_give_exactly_the_matching_jobs(
    client: Client, busy_slots: list[str]
) -> None:
    queued = [client.submit(jobs.noop()) for _ in range(4)]
    canceled = [client.submit(jobs.noop()) for _ in range(3)]
    for job_id in canceled:
        client.cancel(job_id)

    assert {job.job_id for job in client.all_jobs(RUNNING)} == set(busy_slots)
    assert {job.job_id for job in client.all_jobs(RUNNING, "sleep")} == set(busy_slots)
    assert client.all_jobs(RUNNING, "noop") == []
    assert {job.job_id for job in client.all_jobs(QUEUED)} == set(queued)
    assert {job.job_id for job in client.all_jobs(QUEUED, "noop")} == set(queued)
    assert set(canceled) <= {job.job_id for job in client.all_jobs(CANCELED, "noop")}
    everything = client.all_jobs()
    for state in (QUEUED, RUNNING, DONE, FAILED, CANCELED):
        for kind in ("", "noop", "sleep", "fail"):
            expected = [job for job in everything if job.state == state and kind in ("", job.kind)]
            assert client.all_jobs(state, kind) == expected, (state, kind)
    for kind in ("noop", "sleep", "fail"):
        assert client.all_jobs(kind=kind) == [job for job in everything if job.kind == kind]


def test_paging_covers_each_job_exactly_once_while_jobs_are_added(client: Client) -> None:
    present = [client.submit(jobs.noop()) for _ in range(60)]
    stop = threading.Event()

    def add() -> None:
        while not stop.is_set():
            client.submit(jobs.noop())

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(add) for _ in range(3)]
        try:
            listed = [job.job_id for page in client.pages(page_size=7) for job in page.jobs]
        finally:
            stop.set()
        for writer in writers:
            writer.result()

    assert len(listed) == len(set(listed)), "no job twice"
    assert listed == sorted(listed, reverse=True)
    assert set(present) <= set(listed), "no job left out"
