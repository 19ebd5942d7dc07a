"""What the processes of a stack are started with, ours and others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.process_spec import DISK, Image, ProcessSpec, Ready
from common.stack_spec import StackSpec
from common.topology import Topology
from design_a.topology import TOPOLOGY as A
from testbed.errors import TestbedError
from testbed.stack import designs, prepare

STORE = ProcessSpec(
    "store",
    port=6379,
    holds=DISK,
    command=("redis-server", "--port", "{port}", "--dir", "{data}"),
    environment={"TREE": "{tree}"},
    image=Image("redis:8"),
    ready=Ready("tcp"),
)
PLACE = prepare.Place(secret_file="/secret", tree="/code", data_of=lambda each: f"/d/{each.name}")
# Design A as an option would have it that keeps jobs in a store.
STORED = replace(
    A,
    processes=(
        STORE,
        *(replace(each, peers=(*each.peers, "store")) for each in A.processes),
    ),
)
ALONE = Topology("alone", "a store", (STORE,), ("store",))


def filled(topology: Topology, **spec: object) -> dict[str, ProcessSpec]:
    processes = prepare.filled(topology, StackSpec(**spec), PLACE)  # type: ignore[arg-type]
    return {each.name: each for each in processes}


def test_settings_go_to_processes_of_ours_and_to_no_other() -> None:
    found = filled(STORED, settings={"lease": "9"})
    assert found["store"].environment == {"TREE": "/code"}
    assert found["store"].command == ("redis-server", "--port", "6379", "--dir", "/d/store")
    job = found["job"].environment
    assert (job["TASKQUEUE_LEASE"], job["TASKQUEUE_SECRET_FILE"]) == ("9", "/secret")
    assert "store=127.0.0.1:6379" in job["TASKQUEUE_PEERS"].split(",")


def test_settings_for_a_design_that_has_none_are_refused_by_name() -> None:
    with pytest.raises(TestbedError, match=r"design alone .* no other has the settings lease"):
        prepare.scaled(ALONE, StackSpec(settings={"lease": "9"}))


def test_text_that_cannot_be_filled_is_an_error_before_anything_starts() -> None:
    wrong = replace(ALONE, processes=(replace(STORE, command=("x", "{where}")),))
    with pytest.raises(TestbedError, match=r"store: '\{where\}' cannot be filled"):
        filled(wrong)


def test_slots_that_nobody_shares_out_are_unknown_and_metrics_that_nobody_has_left_out() -> None:
    record = prepare.blank("local", ALONE, StackSpec(24))
    assert (record.slots, record.capacity, record.metrics) == (0, "slots unknown", {})
    assert prepare.blank("local", A, StackSpec(24)).capacity == "24 slots"
    assert prepare.port_uses(ALONE) == {6379: "store, port"}


def test_a_port_for_two_is_an_error_that_names_both() -> None:
    both = replace(ALONE, processes=(STORE, replace(STORE, name="cache")))
    with pytest.raises(TestbedError, match="port 6379 for two: store, port; cache, port"):
        prepare.port_uses(both)


def test_metrics_at_another_path_are_found_there() -> None:
    odd = replace(STORE, metrics_port=6380, metrics_path="/stats")
    record = prepare.blank("local", replace(ALONE, processes=(odd,)), StackSpec())
    assert record.metrics == {"store": "127.0.0.1:6380/stats"}


def test_designs_share_no_port_and_each_can_be_started_in_its_default_size() -> None:
    known = [designs.load(name) for name in designs.names()]
    uses = [port for each in known for port in prepare.port_uses(each.scaled(1))]
    assert len(set(uses)) == len(uses)
    for each in known:
        assert len(prepare.filled(each, StackSpec(), PLACE)) == len(each.processes)
