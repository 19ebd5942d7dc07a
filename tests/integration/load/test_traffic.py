"""What real Locust processes send, count and record."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from testbed.record.load import read_load
from tests.integration.load.processes import (
    LOCUSTFILES,
    Finished,
    Locust,
    StartLocust,
    StartStub,
    Stub,
    free_master_port,
    read_record,
)
from tests.support.waiting import eventually

HEADLESS = ("--headless", "--only-summary", "-r", "100")
CALLS = {
    "SubmitJob": ["SubmitJob"],
    "GetJobStatus": ["GetJobStatus"],
    "GetJobResult": ["GetJobResult", "GetJobResult (not finished)"],
    "CancelJob": ["CancelJob", "CancelJob (already finished)"],
    "ListJobs": ["ListJobs"],
}


def locust_counts(path: Path) -> Counter[str]:
    """Locust's own final request counts by name."""
    return Counter(
        {
            each["name"]: each["num_requests"]
            for each in json.loads(path.with_name(f"{path.name}.json").read_text())
        }
    )


def test_mixed_traffic_is_counted_as_the_server_saw_it(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--ports", "2", "--polls", "2")
    record, summary, users = tmp_path / "record", tmp_path / "summary.json", 4
    locust = start_locust(
        "mixed.py", *HEADLESS, "-H", f"grpc://{stub.host}", "-u", str(users), "-t", "5s",
        "--record", str(record), "--json-file", str(summary), "--csv", str(tmp_path / "figures"),
        "--think-time", "0.01",
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    assert f"Recorded in {record}" in locust.output
    served, counted, recorded = stub.calls(), locust_counts(summary), read_record(record)
    for method, names in CALLS.items():
        assert served[method] == sum(counted[name] for name in names) > 0
        assert recorded.count(*names) == served[method]
    assert len(set(recorded.accepted)) == recorded.data["accepted"] == served["SubmitJob"]
    with (tmp_path / "figures_stats.csv").open(newline="") as file:
        assert {row["Name"] for row in csv.DictReader(file)} > set(CALLS)
    assert recorded.data["endpoints"] == stub.host.split(",")
    assert recorded.total("generator_cpu") > 0
    assert recorded.total("due") == recorded.total("sent") == sum(served.values())
    expected = ("GetJobResult (not finished)", "CancelJob (already finished)")
    assert all(recorded.answered(name) > 0 for name in expected)
    assert recorded.total("expected") == recorded.count(*expected)
    assert {kind for name in recorded.times for kind in recorded.times[name]} == {"service"}
    read = read_load(record)
    assert (read.loop, len(read.steps), read.steps[0].label) == ("closed", 1, f"users={users}")
    assert read.window == read.steps[0].window


@pytest.mark.slow
def test_endpoints_are_used_evenly(start_stub: StartStub, start_locust: StartLocust) -> None:
    stub = start_stub("--ports", "3")
    users = 2
    start_locust("submit.py", *HEADLESS, "-H", stub.host, "-u", str(users), "-t", "4s").wait()

    counts = [each["calls"]["SubmitJob"] for each in stub.stop()]
    assert min(counts) > 0
    assert max(counts) - min(counts) <= users
    assert [each["connections"] for each in stub.stop()] == [2, 2, 2]


@pytest.mark.slow
@pytest.mark.parametrize("delay", ["0", "1"])
def test_two_processes_add_up_also_when_calls_outlast_the_test(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path, delay: str
) -> None:
    stub = start_stub("--delay", delay)
    record, summary, users = tmp_path / "record", tmp_path / "summary.json", 4
    locust = start_locust(
        "mixed.py", *HEADLESS, "-H", stub.host, "-u", str(users), "-t", "3s", "--processes", "2",
        "--mix", "submit=2,status=1", "--record", str(record), "--json-file", str(summary),
        env=free_master_port(),
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    served, counted, recorded = stub.calls(), locust_counts(summary), read_record(record)
    for method in ("SubmitJob", "GetJobStatus"):
        assert served[method] == counted[method] > 0
        assert recorded.count(method) == served[method]
    assert len(set(recorded.accepted)) == recorded.data["accepted"] == served["SubmitJob"]
    assert recorded.files == 3


@pytest.mark.slow
def test_ctrl_c_on_two_processes_leaves_a_whole_record(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--delay", "0.3")
    record = tmp_path / "record"
    running = submit_from_two_processes(start_locust, stub, record)
    running.interrupt()
    assert_whole(record, stub, running.wait())


@pytest.mark.slow
def test_ctrl_c_on_workers_that_the_master_is_stopping_leaves_a_whole_record(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--delay", "2")
    record = tmp_path / "record"
    running = submit_from_two_processes(start_locust, stub, record)
    workers = psutil.Process(running.process.pid).children()
    running.process.send_signal(signal.SIGINT)
    waits = "waiting for the final reports of 2 workers"
    eventually(running.output, lambda text: waits in text, what="the master to wait")
    for worker in workers:
        worker.send_signal(signal.SIGINT)
    assert_whole(record, stub, running.wait())


def assert_whole(record: Path, stub: Stub, locust: Finished) -> None:
    """A record has every submit that the server has answered."""
    recorded = read_record(record)
    assert recorded.data["accepted"] == len(recorded.accepted) > 0, locust.output
    assert recorded.data["accepted"] == stub.calls()["SubmitJob"]


def submit_from_two_processes(start_locust: StartLocust, stub: Stub, record: Path) -> Locust:
    """Start four users that submit from two processes, and return once they are there."""
    running = start_locust(
        "submit.py", *HEADLESS, "-H", stub.host, "-u", "4", "--processes", "2",
        "--record", str(record), "--think-time", "0", env=free_master_port(),
    )  # fmt: skip
    # Locust prints one or the other, as its workers' reports come in time or late.
    spawned = ("All users spawned", "Spawning is complete")
    eventually(running.output, lambda text: any(each in text for each in spawned), what="the users")
    return running


def test_life_cycles_end_with_a_result(start_stub: StartStub, start_locust: StartLocust) -> None:
    stub = start_stub("--polls", "2")
    locust = start_locust(
        "lifecycle.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "4s", "--think-time", "0.01"
    ).wait()

    assert locust.code == 0, locust.output
    order = stub.stop()[0]["order"]
    cycle = ["SubmitJob", "GetJobStatus", "GetJobStatus", "GetJobStatus", "GetJobResult"]
    assert len(order) > len(cycle)
    assert order == (cycle * len(order))[: len(order)]


@pytest.mark.slow
def test_the_seed_decides_the_sequence_of_operations(
    start_stub: StartStub, start_locust: StartLocust
) -> None:
    sequences = []
    for seed in ("7", "7", "8"):
        stub = start_stub()
        start_locust(
            "mixed.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "4s", "--seed", seed,
            "--think-time", "0.01",
        ).wait()  # fmt: skip
        sequences.append(stub.stop()[0]["order"])

    length = min(map(len, sequences))
    assert length > 20
    first, again, other = (each[:length] for each in sequences)
    assert first == again != other


def test_options_are_read_from_the_environment_and_from_any_directory(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    locust = start_locust(
        "submit.py", *HEADLESS, "-u", "1", "-t", "3s", cwd=tmp_path,
        env={"LOCUST_HOST": stub.host, "LOAD_KIND": "word_count", "LOAD_PAYLOAD_BYTES": "200"},
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    assert list(stub.stop()[0]["kinds"]) == ["word_count 200"]


def test_warm_up_is_recorded_and_left_out_of_the_measured_window(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    record = tmp_path / "record"
    start_locust(
        "submit.py", *HEADLESS, "-H", stub.host, "-u", "2", "-t", "6s", "--warmup", "1",
        "--record", str(record),
    ).wait()  # fmt: skip

    recorded, read = read_record(record), read_load(record)
    assert recorded.count("SubmitJob") == recorded.data["accepted"] == stub.calls()["SubmitJob"]
    assert read.after_nominal.from_unix >= read.window.from_unix + 1
    assert 0 < read.calls["SubmitJob"].answered(read.after_nominal) < recorded.count("SubmitJob")


def test_a_slow_start_takes_nothing_from_the_run_time(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    locustfile = tmp_path / "slow.py"
    locustfile.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(LOCUSTFILES)!r})\n"
        "from taskqueue_load import SubmitUser\n"
        "began = time.perf_counter()\n"
        "while time.perf_counter() < began + 2: pass\n"
    )
    start_locust(
        str(locustfile), *HEADLESS, "-H", stub.host, "-u", "1", "-t", "2s",
        "--record", str(tmp_path / "record"),
    ).wait()  # fmt: skip

    window = read_record(tmp_path / "record").data["window"]
    assert window["to_unix"] - window["from_unix"] > 1.9


@pytest.mark.slow
def test_a_server_s_errors_are_counted_as_it_says(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    expected = {
        "definite": "RESOURCE_EXHAUSTED QUEUE_FULL",
        "indefinite": "UNAVAILABLE OWNER_UNREACHABLE",
    }
    for outcome, kind in expected.items():
        stub, record = start_stub("--refuse", outcome), tmp_path / outcome
        locust = start_locust(
            "submit.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "3s", "--record", str(record)
        ).wait()

        recorded = read_record(record)
        calls = recorded.count("SubmitJob")
        assert locust.code == 1
        assert f"CallError('{kind} ({outcome})')" in locust.output
        assert recorded.error_kinds("SubmitJob") == {kind: calls}
        assert recorded.total(outcome) == calls > 0
        assert recorded.answered("SubmitJob") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("client", "nobody"), [("grpc-gevent", "definite"), ("grpcio", "indefinite")]
)
def test_calls_without_an_answer_are_indefinite_failures_unless_they_certainly_reached_nobody(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path, client: str, nobody: str
) -> None:
    slow, stopped = start_stub("--delay", "30"), start_stub()
    stopped.stop()
    cases = ((slow, "DEADLINE_EXCEEDED", "indefinite"), (stopped, "UNAVAILABLE", nobody))
    for stub, kind, outcome in cases:
        record = tmp_path / kind
        locust = start_locust(
            "submit.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "2s", "--deadline", "0.1",
            "--client", client, "--record", str(record),
        ).wait()  # fmt: skip

        recorded = read_record(record)
        calls = recorded.count("SubmitJob")
        assert locust.code == 1
        assert recorded.data["options"]["client"] == client
        assert recorded.error_kinds("SubmitJob") == {kind: calls}
        assert recorded.total("definite") + recorded.total("indefinite") == calls
        assert recorded.total(outcome) == calls > 0
