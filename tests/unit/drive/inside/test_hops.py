from __future__ import annotations

from typing import Any

import pytest

from testbed.drive.figures import hops
from testbed.drive.figures.hops import Hop, Way
from testbed.drive.figures.trial import analyse
from testbed.record.calls import Window

WINDOW = Window(1000, 1010)
PUBLIC = "taskqueue.v1.TaskQueueService"
JOB = "taskqueue.internal.v1.JobService"


def answered(
    service: str, method: str, caller: str, calls: float, sizes: tuple[float, float] | None = None
) -> str:
    labels = f'{{grpc_service="{service}",grpc_method="{method}",caller="{caller}"}}'
    page = f"taskqueue_handling_seconds_count{labels} {calls}\n"
    if sizes:
        page += f"taskqueue_received_bytes_total{labels} {sizes[0]}\n"
        page += f"taskqueue_sent_bytes_total{labels} {sizes[1]}\n"
    return page


def carried(service: str, method: str, peer: str, entries: float) -> str:
    labels = f'{{grpc_service="{service}",grpc_method="{method}",peer="{peer}"}}'
    return f"taskqueue_sent_entries_total{labels} {entries}\n"


def scraped(record: Any, **pages: str) -> Any:
    """Each process was scraped at the beginning, with nothing counted, and at the end."""
    return record(
        {
            name.replace("_", "-"): [(1000, "up 1\n"), (1010, f"up 2\n{page}")]
            for name, page in pages.items()
        }
    )


def test_calls_bytes_and_entries_are_counted_for_each_way(record: Any) -> None:
    metrics = scraped(
        record,
        gateway=answered(PUBLIC, "SubmitJob", "client", 100, (4000, 2000))
        + carried(JOB, "CreateJob", "job", 100),
        job=answered(JOB, "CreateJob", "gateway", 20, (5000, 3000))
        + answered(JOB, "GetJobRecord", "coordinator", 10, (100, 700)),
    )
    found = hops.hops(metrics, WINDOW)
    assert found == (
        Hop(Way("client", "gateway", "SubmitJob"), 100, 6000),
        Hop(Way("coordinator", "job", "GetJobRecord"), 10, 800),
        Hop(Way("gateway", "job", "CreateJob"), 20, 8000, 100),
    )
    assert [each.entries_per_call for each in found] == [None, None, 5]
    assert hops.internal(found) == hops.Internal(30, 8800)
    assert found[2].per(50) == Hop(Way("gateway", "job", "CreateJob"), 0.4, 160, 2)
    assert str(found[2].way) == "gateway → job CreateJob"


def test_equal_processes_are_one_peer_and_what_was_not_called_is_no_hop(record: Any) -> None:
    page = answered(PUBLIC, "GetJobStatus", "node", 8) + answered(PUBLIC, "ListJobs", "node", 0)
    (found,) = hops.hops(scraped(record, node_0=page, node_1=page), WINDOW)
    assert found == Hop(Way("node", "node", "GetJobStatus"), 16)


def test_what_an_earlier_revision_does_not_count_is_unknown_and_not_zero(record: Any) -> None:
    metrics = scraped(
        record,
        job=answered(JOB, "CreateJob", "gateway", 20)
        + answered(JOB, "GetJobRecord", "gateway", 20, (10, 10)),
    )
    found = hops.hops(metrics, WINDOW)
    assert [each.bytes for each in found] == [None, 20]
    assert hops.internal(found) == hops.Internal(40, None)


def test_caller_that_was_not_admitted_is_called_unknown(record: Any) -> None:
    metrics = scraped(record, job=answered(JOB, "CreateJob", "", 3, (30, 0)))
    assert hops.hops(metrics, WINDOW) == (Hop(Way("unknown", "job", "CreateJob"), 3, 30),)


def test_trial_has_the_internal_calls_and_bytes_of_a_finished_job(record: Any, make: Any) -> None:
    metrics = scraped(
        record,
        gateway=answered(PUBLIC, "SubmitJob", "client", 100, (1, 1)),
        job=answered(JOB, "CreateJob", "gateway", 150, (9000, 1000)),
    )
    figures = analyse(make.trial(metrics=metrics)).figures
    assert figures["internal_calls_per_job"].value == pytest.approx(1.5)
    assert figures["internal_bytes_per_job"].value == pytest.approx(100)


def test_calls_and_jobs_are_counted_between_the_same_scrapes(record: Any, make: Any) -> None:
    """Half of the jobs finish within the window, and all calls are made in its first seconds."""
    page = answered(JOB, "CreateJob", "gateway", 600)
    scrapes = {"job": [(991, "up 1\n"), (1006, page), (1011, page)], "queue": [(992, "up 1\n")]}
    jobs = [make.job(number, second, 0, 0.1) for number, second in enumerate([-3] * 50 + [3] * 50)]
    figures = analyse(make.trial(metrics=record(scrapes), jobs=jobs)).figures
    assert figures["jobs_per_second"].samples == 50
    assert figures["internal_calls_per_job"].value == pytest.approx(6 * 14 / 15)


def test_trial_whose_processes_count_no_calls_has_no_such_figure(record: Any, make: Any) -> None:
    uncounted = scraped(record, server="jobs_total 7\n")
    for trial in (make.trial(), make.trial(metrics=uncounted)):
        figures = analyse(trial).figures
        assert figures["internal_calls_per_job"].value is None
        assert figures["internal_bytes_per_job"].value is None
    idle = make.trial(
        metrics=scraped(record, job=answered(JOB, "CreateJob", "gateway", 9)), jobs=()
    )
    assert analyse(idle).figures["internal_calls_per_job"].value is None
