"""The plans that prove what a durable store keeps: they hit everything, and excuse nothing."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

import pytest

from common.process_spec import MEMORY
from common.topology import LINKS
from testbed.drive.plan_reader import PlanSource
from testbed.runs.faults import registry
from testbed.runs.faults.plan import FaultPlan
from testbed.runs.faults.planfile import FOLDER, parse
from tests.support.paths import ROOT


def plan(name: str, **changes: Any) -> FaultPlan:
    path = ROOT / FOLDER / f"{name}.toml"
    data = {**tomllib.loads(path.read_text()), **changes}
    return parse(data, PlanSource(str(path)), ("noop", "sleep"))


@pytest.mark.parametrize(
    ("name", "faults", "kills"), [("durable", 60, 4), ("durable-short", 10, 1)]
)
def test_every_process_of_every_side_is_killed_the_server_included(
    name: str, faults: int, kills: int
) -> None:
    sides = plan(name).deployments()
    assert [str(side) for side in sides] == [
        f"{design}+store={store}" for design in "ab" for store in ("redis", "postgres")
    ]
    for side in sides:
        schedule = plan(name).schedule(side)
        assert len(schedule) >= faults
        killed = Counter(each.target for each in schedule if each.kind == "kill")
        processes = {each.name for each in side.topology.processes if each.name != LINKS}
        assert killed.keys() == processes
        assert min(killed.values()) >= kills
        assert {"pause_short", "restart"} <= {each.kind for each in schedule}


@pytest.mark.parametrize("name", ["durable", "durable-short"])
def test_no_fault_of_a_side_with_a_durable_store_excuses_a_lost_job(name: str) -> None:
    for side in plan(name).deployments():
        for each in plan(name).schedule(side):
            kind = registry.get(each.kind)
            assert kind.lost_state(kind.target(side.scaled, each.target)) == ()


def test_the_same_plan_loses_the_memory_of_sides_without_a_store() -> None:
    for side in plan("durable", sides=["a", "b"]).deployments():
        lost = [
            each.target
            for each in plan("durable").schedule(side)
            if (kind := registry.get(each.kind)).lost_state(kind.target(side.scaled, each.target))
        ]
        assert set(lost) == {each.name for each in side.topology.processes if each.holds == MEMORY}
