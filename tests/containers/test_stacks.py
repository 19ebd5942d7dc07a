"""Stacks in containers, started, used and stopped by the runtime."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.stack_spec import Budget, StackSpec
from testbed.drive.scraper import read_page
from testbed.errors import TestbedError
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.compose import containers
from tests.containers.conftest import PROJECT, Up
from tests.support import jobs
from tests.support.client import Client
from tests.support.contract import assert_contract_holds
from tests.support.engine import leaving_nothing
from tests.support.stacks import ROOT, TOPOLOGIES, shifted
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("engine")

DESIGNS = ("a", "b")


@pytest.mark.parametrize("design", DESIGNS)
def test_contract_holds_for_a_stack_in_containers(up: Up, design: str) -> None:
    record = up(design)
    assert_contract_holds(record.endpoints, record.slots)


@pytest.mark.parametrize("design", DESIGNS)
def test_locust_finds_a_stack_in_containers_and_writes_its_csv(
    up: Up, tmp_path: Path, design: str
) -> None:
    up(design)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "locustfiles/mixed.py", "--headless"),
            *("-u", "4", "-r", "4", "-t", "4s", "--only-summary", "--csv", str(tmp_path / "run")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "run_stats.csv").open(newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    assert int(rows["SubmitJob"]["Request Count"]) > 0
    assert int(rows["Aggregated"]["Failure Count"]) == 0


def test_every_process_serves_metrics_and_says_what_it_has_used(up: Up, runtime: Runtime) -> None:
    record = up("b")
    assert len(record.metrics) == 6
    for name, address in record.metrics.items():
        assert "grpc_server_handling_seconds" in read_page(address), name
    statuses = runtime.status(record)
    assert [each.health for each in statuses] == ["SERVING"] * 6
    assert all(each.cpu_seconds > 0 and each.memory_bytes > 1 << 20 for each in statuses)
    assert stacks.find() == [record]


def test_three_workers_share_the_slots_and_have_one_name_for_all(up: Up) -> None:
    record = up("a", workers=3, slots=12)
    assert len(record.processes) == 8
    found, name = containers.find("a"), "worker.taskqueue-a"
    asked = found["gateway"].exec_run(
        ["python", "-c", f"import socket; print(len(socket.gethostbyname_ex({name!r})[2]))"]
    )
    assert asked.output.decode().strip() == "3"
    client = Client(record.endpoints)
    # As many long jobs as there are slots keep every worker busy, and no more than that.
    held = [client.submit(jobs.sleep(60_000)) for _ in range(12)]
    workers = {client.wait(job, pb.JOB_STATE_RUNNING).worker for job in held}
    client.close()
    assert workers == {"worker-1", "worker-2", "worker-3"}


def test_each_container_has_an_equal_part_of_the_budget(up: Up) -> None:
    up("a", budget=Budget(cpus=2.4, memory_mib=1200))
    for container in containers.find("a").values():
        limits = container.attrs["HostConfig"]
        assert (limits["NanoCpus"], limits["Memory"]) == (400_000_000, 200 << 20)
        assert limits["MemorySwap"] == limits["Memory"]
        assert limits["RestartPolicy"]["Name"] == "no"
        assert container.attrs["Config"]["User"] == "taskqueue"


def test_container_that_dies_stays_dead_and_is_seen(up: Up, runtime: Runtime) -> None:
    record = up("b")
    containers.find("b")["node-3"].kill()
    statuses = eventually(
        lambda: {each.record.name: each.health for each in runtime.status(record)},
        until=lambda reported: reported["node-3"] == "dead",
        what="the end of node-3",
    )
    assert sorted(statuses.values()) == ["SERVING"] * 5 + ["dead"]
    stopped = runtime.down("b", runtimes.silent)
    assert "node-3" in stopped.notice
    assert len(stopped.ended) == 5


def test_down_stops_gracefully_and_keeps_the_logs(up: Up, runtime: Runtime) -> None:
    record = up("a")
    stopped = runtime.down("a", runtimes.silent)
    assert (len(stopped.ended), stopped.killed, stopped.notice) == (6, (), "")
    for process in record.processes:
        assert f"{process.name} stops" in Path(process.log).read_text()
    assert runtime.down("a", runtimes.silent).nothing
    assert stacks.load("a") is None


def test_second_up_is_refused_and_harms_nothing(up: Up, runtime: Runtime) -> None:
    record = up("a")
    with pytest.raises(TestbedError, match="already up"):
        up("a")
    assert all(each.healthy for each in runtime.status(record))


def test_stack_without_memory_is_refused_with_the_reason_and_leaves_nothing(
    home: Path, runtime: Runtime
) -> None:
    with leaving_nothing(PROJECT), pytest.raises(TestbedError, match="budget of memory"):
        runtime.up(
            shifted(TOPOLOGIES["b"]), StackSpec(budget=Budget(memory_mib=96)), runtimes.silent
        )
    assert stacks.load("b") is None


def test_taken_port_is_named_with_what_needs_it(home: Path, runtime: Runtime) -> None:
    topology = shifted(TOPOLOGIES["a"])
    with socket.socket() as taken, leaving_nothing(PROJECT):
        taken.bind(("127.0.0.1", topology.process("gateway").port))
        taken.listen()
        with pytest.raises(TestbedError, match=r"gateway, gRPC\) is taken"):
            runtime.up(topology, StackSpec(), runtimes.silent)


def test_what_a_killed_up_left_is_cleaned_up_by_the_next_one(up: Up, runtime: Runtime) -> None:
    first = up("b")
    stacks.state_file("b").write_text("{ damaged")
    second: StackRecord = up("b")
    assert {each.container for each in first.processes}.isdisjoint(
        each.container for each in second.processes
    )
