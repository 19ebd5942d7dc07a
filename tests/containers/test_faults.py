"""Containers that are killed, frozen and taken off the network, and what becomes of their jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults.heal import heal_all
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.compose import containers, engine
from tests.containers.conftest import PROJECT, Up
from tests.support import jobs
from tests.support.client import DONE, RUNNING, Calls, Client, rejection_of
from tests.support.stacks import TOPOLOGIES
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("engine")

WITHIN = 90.0


def inject(runtime: Runtime, record: StackRecord, kind: str, target: str) -> Callable[[], None]:
    """Inject a fault into a stack, and return what heals it."""
    controls, chosen = runtime.controls(record), registry.get(kind)
    hit = chosen.target(TOPOLOGIES[record.design], target)
    chosen.inject(controls, hit, chosen.read({}))
    return lambda: chosen.heal(controls, hit)


@contextmanager
def somebody_takes_the_address_of(process: str, design: str) -> Iterator[None]:
    """Have other containers take the addresses that become free in the network."""
    image = containers.find(design)[process].image
    others = [
        engine.connect().containers.run(
            image,
            ["sleep", "infinity"],
            entrypoint=[],
            network=PROJECT,
            detach=True,
            labels={"com.docker.compose.project": PROJECT},
        )
        for _ in range(2)
    ]
    try:
        yield
    finally:
        for each in others:
            each.remove(force=True)


def address(process: str, design: str) -> str:
    """Return the address of a process in the network, empty while it has none."""
    networks = containers.find(design)[process].attrs["NetworkSettings"]["Networks"]
    return str(networks[PROJECT]["IPAddress"]) if PROJECT in networks else ""


def test_design_a_mends_itself_after_each_fault(up: Up, runtime: Runtime) -> None:
    record = up("a", settings={"log_level": "INFO"})
    client, meter = Client(record.endpoints), runtime.meter(record)
    before = meter.read()["worker"]
    assert before is not None

    # Killed: its jobs run again, and it is the same process to everybody who asks.
    running = client.submit(jobs.sleep(3_000))
    client.wait(running, RUNNING)
    heal = inject(runtime, record, "kill", "worker")
    assert containers.find("a")["worker"].status == containers.EXITED
    assert meter.read()["worker"] is None
    heal()
    status = client.wait(running, within=WITHIN)
    assert (status.state, status.attempt) == (DONE, 2)
    now = stacks.load("a")
    assert now is not None
    assert [each.container for each in now.processes] == [
        each.container for each in record.processes
    ]
    assert now.processes != record.processes
    after = meter.read()["worker"]
    assert after is not None
    assert after.cpu_seconds > before.cpu_seconds

    # Off the network, and on it again with another address.
    was = address("coordinator", "a")
    heal = inject(runtime, record, "isolate", "coordinator")
    assert not address("coordinator", "a")
    waiting = [client.submit(jobs.sleep(5)) for _ in range(12)]
    with somebody_takes_the_address_of("coordinator", "a"):
        heal()
        assert address("coordinator", "a") != was
        assert {client.wait(job, within=WITHIN).state for job in waiting} == {DONE}

    # Frozen, until its worker has been given up.
    heal = inject(runtime, record, "pause_long", "worker")
    held = client.submit(jobs.sleep(5))
    heal()
    assert client.wait(held, within=WITHIN).state == DONE
    client.close()
    assert list(heal_all(runtime.controls(record))) == []
    assert all(each.healthy for each in runtime.status(record))


def test_node_off_the_network_is_out_of_reach_and_comes_back_with_its_jobs(
    up: Up, runtime: Runtime
) -> None:
    record = up("b")
    client = Client(record.endpoints)
    away, other = client.at[2], client.at[0]
    job = away.submit(jobs.sleep(5))
    away.wait(job)

    heal = inject(runtime, record, "isolate", "node-2")

    rejection = rejection_of(lambda: other.status(job))
    assert (rejection.code, rejection.metadata["outcome"]) == ("UNAVAILABLE", "indefinite")
    heal()
    eventually(lambda: _found(other, job), within=WITHIN, what="an answer of node-2")
    assert away.run(jobs.noop(), WITHIN).state == DONE
    client.close()


def _found(calls: Calls, job: str) -> bool:
    try:
        return calls.status(job).state == DONE
    except grpc.RpcError as error:
        if error.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise
        return False


def test_cut_link_in_containers_and_down_of_what_is_broken(up: Up, runtime: Runtime) -> None:
    record = up("b", links=True)
    limits = {
        name: (each.attrs["HostConfig"]["NanoCpus"], each.attrs["HostConfig"]["Memory"])
        for name, each in containers.find("b").items()
    }
    assert limits.pop("links") == (0, 0), "an instrument has no budget"
    assert set(limits.values()) == {(500_000_000, 512 << 20)}
    client = Client(record.endpoints)
    job = client.at[1].submit(jobs.noop())
    client.at[1].wait(job)
    heal = inject(runtime, record, "cut", "node-0:node-1")
    assert rejection_of(lambda: client.at[0].status(job)).code == "DEADLINE_EXCEEDED"
    heal()
    assert client.at[0].status(job).state == DONE
    client.close()

    inject(runtime, record, "pause_long", "node-1")
    inject(runtime, record, "kill", "node-2")
    inject(runtime, record, "isolate", "node-3")
    stopped = runtime.down("b", runtimes.silent)

    assert "already dead: node-2" in stopped.notice
    assert (len(stopped.ended), stopped.killed) == (6, ())


def test_clock_of_a_container_is_refused_with_the_reason(home: Path, runtime: Runtime) -> None:
    with pytest.raises(TestbedError, match="clocks of containers cannot be set"):
        runtime.up(TOPOLOGIES["a"], StackSpec(clock=True), runtimes.silent)
