"""Calls that are sent at a rate, and loads that change over time, by real Locust processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from testbed.record.load import read_load
from tests.integration.load.processes import StartLocust, StartStub, free_master_port, read_record
from tests.support.waiting import eventually

HEADLESS = ("--headless", "--only-summary", "-r", "100")
EVEN = ("--rate", "1", "--arrivals", "even")


def test_a_stalled_server_is_sent_the_whole_schedule_and_its_wait_is_recorded(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub("--delay", "0.5"), tmp_path / "record"
    locust = start_locust(
        "submit.py", *HEADLESS, *EVEN, "-H", stub.host, "-u", "1", "--shape", "steps:40@2s",
        "--record", str(record),
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    recorded = read_record(record)
    # One user who waits for answers would have made four calls.
    assert stub.calls()["SubmitJob"] == recorded.total("due") == recorded.total("sent") == 80
    assert recorded.total("dropped") == 0
    for kind in ("service", "delay", "response"):
        assert recorded.answered("SubmitJob", kind) == 80
    assert min(recorded.values_us("SubmitJob", "response")) > 400_000
    delays = sum(recorded.values_us("SubmitJob", "delay"))
    responses = sum(recorded.values_us("SubmitJob", "response"))
    services = sum(recorded.values_us("SubmitJob", "service"))
    # Histograms have three digits.
    assert abs(responses - services - delays) <= 0.002 * responses


@pytest.mark.slow
def test_a_generator_that_is_held_up_makes_up_for_it_and_records_how_late_it_was(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    running = start_locust(
        "submit.py", *HEADLESS, *EVEN, "-H", stub.host, "-u", "1", "--shape", "steps:40@4s",
        "--record", str(record),
    )  # fmt: skip
    eventually(running.output, lambda text: "All users spawned" in text, what="the users")
    os.killpg(running.process.pid, signal.SIGSTOP)
    time.sleep(1)
    os.killpg(running.process.pid, signal.SIGCONT)
    locust = running.wait()

    assert locust.code == 0, locust.output
    recorded = read_record(record)
    assert stub.calls()["SubmitJob"] == recorded.total("due") == recorded.total("sent") == 160
    late = [each for each in recorded.values_us("SubmitJob", "delay") if each > 400_000]
    assert len(late) > 10
    assert max(recorded.values_us("SubmitJob", "response")) >= max(late)


def test_calls_beyond_the_limit_in_flight_are_dropped_and_counted(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub("--delay", "0.5"), tmp_path / "record"
    locust = start_locust(
        "submit.py", *HEADLESS, *EVEN, "-H", stub.host, "-u", "1", "--shape", "steps:40@2s",
        "--max-in-flight", "3", "--record", str(record),
    ).wait()  # fmt: skip

    recorded = read_record(record)
    dropped = recorded.total("dropped")
    assert recorded.total("due") == 80
    assert recorded.total("sent") == 80 - dropped == stub.calls()["SubmitJob"]
    assert dropped > 0
    assert max(each["in_flight_max"] for each in recorded.data["seconds"]) == 3
    assert f"{dropped:.0f} calls were dropped, for 3 were in flight" in locust.output
    assert recorded.data["offered"] == {"rate": 40, "process": "even", "max_in_flight": 3}


@pytest.mark.slow
def test_two_processes_send_one_schedule_and_their_histograms_add_up(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    locust = start_locust(
        "mixed.py", *HEADLESS, *EVEN, "-H", stub.host, "-u", "2", "--shape", "steps:60@3s",
        "--mix", "submit=1,list=1", "--processes", "2", "--record", str(record),
        env=free_master_port(),
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    served, recorded = stub.calls(), read_record(record)
    assert sum(served.values()) == recorded.total("due") == recorded.total("sent") == 180
    for name in ("SubmitJob", "ListJobs"):
        for kind in ("service", "delay", "response"):
            assert recorded.answered(name, kind) == served[name] > 0
    assert recorded.total("answered") == 180
    assert len(recorded.accepted) == recorded.data["accepted"] == served["SubmitJob"]
    assert recorded.files == 3
    assert read_load(record).loop == "open"


@pytest.mark.slow
def test_a_life_cycle_at_a_rate_has_several_jobs_under_way(
    start_stub: StartStub, start_locust: StartLocust
) -> None:
    stub = start_stub("--delay", "0.3")
    locust = start_locust(
        "lifecycle.py", *HEADLESS, *EVEN, "-H", stub.host, "-u", "1", "--shape", "steps:30@3s"
    ).wait()

    assert locust.code == 0, locust.output
    calls = stub.calls()
    assert sum(calls.values()) == 90
    assert calls["SubmitJob"] >= calls["GetJobResult"] > 1


@pytest.mark.slow
def test_the_steps_of_a_shape_of_rates_are_recorded(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    start_locust(
        "submit.py", *HEADLESS, *EVEN, "-H", stub.host, "--shape", "steps:20,60@2s",
        "--record", str(record),
    ).wait()  # fmt: skip

    first, second = read_load(record).steps
    assert (first.label, second.label) == ("rate=20", "rate=60")
    assert first.window.to_unix == second.window.from_unix
    assert (first.window.seconds, second.window.seconds) == (2, 2)
    assert stub.calls()["SubmitJob"] == 160


@pytest.mark.slow
def test_users_follow_a_shape_and_the_test_ends_with_it(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    locust = start_locust(
        "submit.py", *HEADLESS, "-H", stub.host, "--shape", "steps:1,3@2s", "--record", str(record)
    ).wait()

    assert locust.code == 0, locust.output
    assert 'All users spawned: {"SubmitUser": 1}' in locust.output
    assert 'All users spawned: {"SubmitUser": 3}' in locust.output
    recorded = read_record(record)
    assert [each["label"] for each in recorded.data["steps"]] == ["users=1", "users=3"]
    assert recorded.data["users"] == 3
    assert recorded.count("SubmitJob") == stub.calls()["SubmitJob"]
