from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.drive.figures import inside
from testbed.record.calls import RESPONSE, SERVICE, CallSeries, IntervalHistogram, Window, blank
from testbed.record.model import (
    CLOSED,
    COMPLETE,
    OPEN,
    STACK,
    JobRow,
    LoadRecording,
    Offered,
    ResourceRow,
    TrialHeader,
    TrialRecording,
)
from testbed.record.series import MetricSeries
from testbed.runs.compare.report import inside as report

PUBLIC = "taskqueue.v1.TaskQueueService"
INTERNAL = "taskqueue.internal.v1.JobService"
WINDOW = Window(100, 110)


def answered(method: str, caller: str, count: float, seconds: float, waited: float = 0.0) -> str:
    service = PUBLIC if caller in {"client", "node"} else INTERNAL
    labels = f'{{grpc_service="{service}",grpc_method="{method}",caller="{caller}"}}'
    name = "taskqueue_handling_seconds"
    return (
        f"{name}_count{labels} {count}\n{name}_sum{labels} {seconds}\n"
        f"taskqueue_waiting_seconds_total{labels} {waited}\n"
    )


def asked(
    within: str, peer: str, method: str, count: float, seconds: float, service: str = INTERNAL
) -> str:
    labels = (
        f'{{grpc_type="unary",grpc_service="{service}",grpc_method="{method}",'
        f'peer="{peer}",within="{within}"}}'
    )
    name = "grpc_client_handling_seconds"
    return f"{name}_count{labels} {count}\n{name}_sum{labels} {seconds}\n"


def waited_for(within: str, peer: str, method: str, count: float, seconds: float) -> str:
    labels = f'{{grpc_service="{INTERNAL}",grpc_method="{method}",peer="{peer}",within="{within}"}}'
    name = "taskqueue_peer_wait_seconds"
    return f"{name}_count{labels} {count}\n{name}_sum{labels} {seconds}\n"


def times(name: str, kinds: dict[str, list[int]]) -> CallSeries:
    intervals: dict[str, dict[int, IntervalHistogram]] = {}
    for kind, values in kinds.items():
        histogram = blank()
        for value in values:
            histogram.record_value(value)
        intervals[kind] = {105: IntervalHistogram.of(histogram)}
    return CallSeries(name, intervals)


def trial(metrics: MetricSeries, *calls: CallSeries, loop: str = CLOSED) -> TrialRecording:
    load = LoadRecording(
        WINDOW, loop, Offered(), 0.0, (), (), {each.name: each for each in calls}, frozenset()
    )
    jobs = tuple(
        JobRow(f"{n:016d}", True, "DONE", 1, 100_000_000, 101_000_000, 102_000_000)
        for n in range(100)
    )
    resources = tuple(
        ResourceRow(unix, STACK, process, cores * (unix - 90), 1 << 20)
        for unix in (90.0, 120.0)
        for process, cores in (("gateway", 0.5), ("job", 0.2))
    )
    return TrialRecording(TrialHeader(7, 1, 1, 0, "a", COMPLETE), load, jobs, resources, metrics)


def two_scrapes(pages: dict[str, str]) -> dict[str, list[tuple[float, str]]]:
    return {process: [(100, "up 0\n"), (110, f"up 1\n{page}")] for process, page in pages.items()}


@pytest.fixture
def design_a(record: Callable[..., MetricSeries]) -> MetricSeries:
    """100 calls of two methods: 5 ms in the gateway, of which 3 ms wait for the job service."""
    gateway = (
        answered("GetJobStatus", "client", 100, 0.5, 0.3)
        + answered("SubmitJob", "client", 50, 0.5, 0.4)
        + asked("GetJobStatus", "job", "GetJobRecord", 100, 0.3)
        + asked("SubmitJob", "job", "CreateJob", 50, 0.25)
        + asked("SubmitJob", "queue", "EnqueueJob", 50, 0.15)
        + asked("", "queue", "RemoveJobIfPresent", 20, 9.0)
    )
    job = answered("GetJobRecord", "gateway", 100, 0.1) + answered("CreateJob", "gateway", 50, 0.1)
    # The coordinator asks for records too, and these take longer: they must not mix in.
    job += answered("GetJobRecord", "coordinator", 100, 5.0)
    queue = answered("EnqueueJob", "gateway", 50, 0.05)
    return record(two_scrapes({"gateway": gateway, "job": job, "queue": queue}))


def parts(found: inside.MethodBreakdown) -> dict[str, float]:
    return {each.label: each.milliseconds for each in found.segments}


def test_segments_are_the_known_parts_and_add_up_to_the_mean_of_the_clients(
    design_a: MetricSeries,
) -> None:
    calls = (
        times("GetJobStatus", {SERVICE: [8_000] * 100}),
        times("SubmitJob", {SERVICE: [12_000] * 50}),
    )
    status, submit = inside.breakdown(trial(design_a, *calls), WINDOW).methods
    assert parts(status) == pytest.approx(
        {
            "client and network": 3,
            "gateway itself": 2,
            "way to job GetJobRecord and back": 2,
            "job GetJobRecord": 1,
        },
        abs=0.01,
    )
    assert parts(submit) == pytest.approx(
        {
            "client and network": 2,
            "gateway itself": 2,
            "way to job CreateJob and back": 3,
            "job CreateJob": 2,
            "way to queue EnqueueJob and back": 2,
            "queue EnqueueJob": 1,
        },
        abs=0.02,
    )
    for each in (status, submit):
        assert sum(parts(each).values()) == pytest.approx(each.mean_ms)
        assert each.notes == ()


def test_kinds_of_answer_of_one_method_are_taken_together(design_a: MetricSeries) -> None:
    calls = (
        times("GetJobStatus", {SERVICE: [6_000] * 60}),
        times("GetJobStatus (not finished)", {SERVICE: [11_000] * 40}),
    )
    (found,) = inside.breakdown(trial(design_a, *calls), WINDOW).methods
    assert (found.calls, found.mean_ms) == (100, pytest.approx(8, rel=0.001))


def test_late_sends_of_an_open_loop_are_a_segment_of_their_own(design_a: MetricSeries) -> None:
    call = times("GetJobStatus", {SERVICE: [8_000] * 100, RESPONSE: [10_000] * 100})
    (found,) = inside.breakdown(trial(design_a, call, loop=OPEN), WINDOW).methods
    assert parts(found)["late send"] == pytest.approx(2, abs=0.02)
    assert found.mean_ms == pytest.approx(10, rel=0.001)
    assert sum(parts(found).values()) == pytest.approx(found.mean_ms)


def test_waiting_for_the_store_is_a_part_of_its_own(record: Any) -> None:
    """100 submits take 7 ms each, of which the store is waited for 3 ms and a peer 2 ms."""
    page = answered("SubmitJob", "client", 100, 0.7, 0.5) + asked(
        "SubmitJob", "queue", "EnqueueJob", 100, 0.2
    )
    labels = f'{{grpc_service="{PUBLIC}",grpc_method="SubmitJob",caller="client"}}'
    page += f"taskqueue_store_waiting_seconds_total{labels} 0.3\n"
    queue = answered("EnqueueJob", "gateway", 100, 0.1)
    metrics = record(two_scrapes({"gateway": page, "queue": queue}))
    call = times("SubmitJob", {SERVICE: [8_000] * 100})
    (found,) = inside.breakdown(trial(metrics, call), WINDOW).methods
    assert parts(found) == pytest.approx(
        {
            "client and network": 1,
            "gateway itself": 2,
            "the store, and the way to it": 3,
            "way to queue EnqueueJob and back": 1,
            "queue EnqueueJob": 1,
        },
        abs=0.02,
    )
    assert found.notes == ()


def test_peers_asked_at_once_count_the_time_they_took_together(record: Any) -> None:
    """100 lists by clients wait 4 ms each for five nodes, 3 ms of each; answering takes 1 ms."""
    page = (
        answered("ListJobs", "client", 50, 0.3, 0.2)
        + answered("ListJobs", "node", 250, 0.25)
        + asked("ListJobs", "node", "ListJobs", 250, 0.75, PUBLIC)
    )
    metrics = record(two_scrapes({"node-0": page, "node-1": page}))
    call = times("ListJobs", {SERVICE: [7_000] * 100})
    (found,) = inside.breakdown(trial(metrics, call), WINDOW).methods
    shown = parts(found)
    assert shown["node itself"] == pytest.approx(2)
    assert shown["node ListJobs"] == pytest.approx(4 / 3)
    assert shown["way to node ListJobs and back"] == pytest.approx(8 / 3)
    assert sum(shown.values()) == pytest.approx(found.mean_ms)
    assert "at the same time" in found.notes[0]


def test_time_of_a_shared_call_is_that_of_each_who_waits_for_it(record: Any) -> None:
    """100 submits wait 5 ms each for 10 calls of 3 ms, which the job service handles in 1 ms."""
    gateway = (
        answered("SubmitJob", "client", 100, 0.9, 0.7)
        # Most of the calls were made while several methods asked; and reads share none.
        + asked("", "job", "CreateJob", 8, 0.024)
        + asked("SubmitJob", "job", "CreateJob", 2, 0.006)
        + waited_for("SubmitJob", "job", "CreateJob", 100, 0.5)
        + waited_for("OtherMethod", "job", "CreateJob", 900, 90)
        + asked("SubmitJob", "queue", "EnqueueJob", 100, 0.2)
    )
    coordinator = asked("", "job", "CreateJob", 50, 9.0)
    job = answered("CreateJob", "gateway", 10, 0.01)
    queue = answered("EnqueueJob", "gateway", 100, 0.1)
    pages = {"gateway": gateway, "coordinator": coordinator, "job": job, "queue": queue}
    call = times("SubmitJob", {SERVICE: [10_000] * 100})
    metrics = record(two_scrapes(pages))
    (found,) = inside.breakdown(trial(metrics, call), WINDOW).methods
    assert parts(found) == pytest.approx(
        {
            "client and network": 1,
            "gateway itself": 2,
            "until job CreateJob is asked": 2,
            "way to job CreateJob and back": 2,
            "job CreateJob": 1,
            "way to queue EnqueueJob and back": 1,
            "queue EnqueueJob": 1,
        },
        abs=0.02,
    )
    assert sum(parts(found).values()) == pytest.approx(found.mean_ms)
    assert found.notes == ()


def test_waiting_that_no_peer_is_named_for_is_not_shown_as_work_of_the_entry(record: Any) -> None:
    """Calls are shared, and nobody counted who waited for them."""
    page = answered("SubmitJob", "client", 100, 0.9, 0.7) + asked("", "job", "CreateJob", 9, 0.02)
    metrics = record(two_scrapes({"gateway": page}))
    call = times("SubmitJob", {SERVICE: [10_000] * 100})
    (found,) = inside.breakdown(trial(metrics, call), WINDOW).methods
    assert parts(found) == pytest.approx(
        {"client and network": 1, "gateway itself": 2, "waiting for peers": 7}, abs=0.02
    )
    assert found.notes == ("what was waited for is not broken down by peer",)


def test_waiting_that_exceeds_that_for_the_calls_is_noted(record: Any) -> None:
    page = answered("SubmitJob", "client", 100, 0.9, 0.7) + asked(
        "SubmitJob", "job", "CreateJob", 10, 0.03
    )
    metrics = record(
        two_scrapes({"gateway": page, "job": answered("CreateJob", "gateway", 10, 0.01)})
    )
    call = times("SubmitJob", {SERVICE: [10_000] * 100})
    (found,) = inside.breakdown(trial(metrics, call), WINDOW).methods
    assert sum(parts(found).values()) == pytest.approx(found.mean_ms)
    (note,) = found.notes
    assert note.startswith("6.70 ms of waiting are not broken down by peer")


def test_calls_that_only_the_processes_saw_are_reported(design_a: MetricSeries) -> None:
    call = times("GetJobStatus", {SERVICE: [8_000] * 90})
    (found,) = inside.breakdown(trial(design_a, call), WINDOW).methods
    assert "clients had 90 answers, the processes handled 100 calls" in found.notes[0]


def test_trial_without_metrics_says_so(design_a: MetricSeries) -> None:
    call = times("GetJobStatus", {SERVICE: [8_000]})
    found = inside.breakdown(trial(MetricSeries(), call), WINDOW)
    assert found.methods == ()
    assert "not recorded" in found.notes[0]
    incomplete = replace(trial(design_a, call), load=None)
    assert inside.breakdown(incomplete, WINDOW).methods == ()
    assert list(inside.rows(incomplete, WINDOW)) == []


def test_cpu_of_a_job_is_reported_by_process(design_a: MetricSeries) -> None:
    found = {each.process: each for each in inside.costs(trial(design_a), WINDOW)}
    assert found["gateway"].cpu_seconds == pytest.approx(5)
    assert found["gateway"].ms_per_job == pytest.approx(50)
    assert found["job"].ms_per_job == pytest.approx(20)


def test_file_has_a_row_for_each_figure(design_a: MetricSeries, tmp_path: Path) -> None:
    call = times("GetJobStatus", {SERVICE: [8_000] * 100})
    path = report.write_trials(tmp_path, [trial(design_a, call)])
    with path.open(newline="") as file:
        rows: Iterable[dict[str, str]] = list(csv.DictReader(file))
    values = {(row["process"], row["method"], row["metric"]): row["value"] for row in rows}
    assert {row["trial"] for row in rows} == {"7"}
    assert values["gateway", "", "cpu_ms_per_job"] == "50"
    assert values["all", "GetJobStatus", "segment_gateway_itself_ms"] == "2"
    assert len(values) == len(list(rows))
