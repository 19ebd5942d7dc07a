"""How many workers and slots a stack has, and what containers are reported to use."""

from __future__ import annotations

import pytest

from common.stack_spec import Budget, StackSpec
from testbed.errors import TestbedError
from testbed.stack import designs
from testbed.stack.manifests.parts import budget_of_each
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.compose import usage
from testbed.stack.runtimes.local import LocalRuntime

CPU = {
    "cpu_usage": {"total_usage": 1_500_000_000},
    "system_cpu_usage": 1,
    "throttling_data": {"periods": 40, "throttled_periods": 10, "throttled_time": 250_000_000},
}


@pytest.mark.parametrize(
    ("workers", "slots"), [(1, 12), (2, 12), (3, 12), (4, 12), (6, 6), (12, 12)]
)
def test_workers_share_out_the_slots_of_one(workers: int, slots: int) -> None:
    scaled = StackSpec(slots, workers).scaled(designs.load("a"))
    given = [scaled.environment(each.name, slots, {}) for each in scaled.processes]
    shares = [int(each["TASKQUEUE_SLOTS"]) for each in given if each["TASKQUEUE_SLOTS"] != "0"]
    assert shares == [slots // workers] * workers
    assert len({each.port for each in scaled.processes}) == len(scaled.processes)
    assert len({each.metrics_port for each in scaled.processes}) == len(scaled.processes)


@pytest.mark.parametrize("workers", [1, 2, 3, 6])
def test_workers_that_divide_six_keep_as_many_fetches_as_the_other_design(workers: int) -> None:
    scaled = StackSpec(12, workers).scaled(designs.load("a"))
    fetchers = [
        int(scaled.environment(each.name, 12, {})["TASKQUEUE_FETCHERS"])
        for each in scaled.processes
        if each.scalable
    ]
    assert sum(fetchers) == 6


def test_design_without_workers_of_its_own_is_not_scaled() -> None:
    topology = designs.load("b")
    assert StackSpec(workers=3).scaled(topology) == topology


@pytest.mark.parametrize(("workers", "slots"), [(5, 12), (0, 12), (21, 42), (4, 6)])
def test_slots_that_cannot_be_shared_out_are_refused(workers: int, slots: int) -> None:
    with pytest.raises(ValueError, match=r"workers|slots"):
        StackSpec(slots, workers).scaled(designs.load("a"))


def test_local_processes_refuse_a_budget_that_nobody_would_hold_them_to() -> None:
    with pytest.raises(TestbedError, match="budget") as refused:
        LocalRuntime().up(designs.load("a"), StackSpec(budget=Budget()), silent)
    assert "--runtime compose" in refused.value.hint


@pytest.mark.parametrize("workers", [1, 2, 3, 6])
def test_workers_leave_the_total_budget_as_it_is(workers: int) -> None:
    spec = StackSpec(workers=workers, budget=Budget(3.0, 3072))
    scaled = spec.scaled(designs.load("a"))
    each, count = budget_of_each(scaled, spec), len(scaled.processes)
    assert each.cpus is not None
    assert each.memory_bytes is not None
    assert each.cpus * count == pytest.approx(3.0, rel=1e-3)
    assert each.memory_bytes * count == pytest.approx(3072 << 20, rel=1e-4)


@pytest.mark.parametrize("field", ["total_inactive_file", "inactive_file"])
def test_use_of_a_container_is_read_from_either_version_of_cgroups(field: str) -> None:
    memory = {"usage": 50 << 20, "stats": {field: 8 << 20}}
    used = usage.parse({"cpu_stats": CPU, "memory_stats": memory})
    assert used.cpu_seconds == pytest.approx(1.5)
    assert used.memory_bytes == 42 << 20
    assert used.throttled_seconds == pytest.approx(0.25)
    assert (used.periods, used.throttled_periods) == (40, 10)
