"""The account that a control group keeps of a container, and the metrics made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from common import cgroup
from common.cgroup import Accounting
from common.rpc import accounting

V1_UNLIMITED = "9223372036854771712\n"
V1 = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "cpu/cpu.stat": "nr_periods 40\nnr_throttled 10\nthrottled_time 1500000000\nnr_bursts 0\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.usage_in_bytes": "5000\n",
    "memory/memory.stat": "cache 9\ninactive_file 7\ntotal_inactive_file 2000\n",
    "memory/memory.max_usage_in_bytes": "9000\n",
    "memory/memory.limit_in_bytes": "268435456\n",
}
V2 = {
    "cgroup.controllers": "cpu memory\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\nnr_periods 40\nnr_throttled 10\n"
    "throttled_usec 1500000\n",
    "cpu.max": "50000 100000\n",
    "memory.current": "5000\n",
    "memory.stat": "anon 1\ninactive_file 2000\n",
    "memory.peak": "9000\n",
    "memory.max": "268435456\n",
}
WHOLE = Accounting(2.5, 1.5, 40, 10, 0.5, 3000, 9000, 268_435_456)


def mount(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a group as a container sees it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def together(files: Mapping[str, str]) -> dict[str, str]:
    """Version 1 as most systems mount it: one tree for both controllers of the CPU."""
    moved = {"cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct", "memory": "memory"}
    return {
        f"{moved[name.split('/')[0]]}/{name.split('/')[1]}": text for name, text in files.items()
    }


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(V1, id="v1"),
        pytest.param(together(V1), id="v1, cpu and cpuacct together"),
        pytest.param(V2, id="v2"),
        pytest.param({**V1, "unified/cgroup.controllers": ""}, id="hybrid"),
    ],
)
def test_account_is_the_same_whatever_the_version(tmp_path: Path, files: dict[str, str]) -> None:
    assert cgroup.read(mount(tmp_path, files)) == WHOLE


@pytest.mark.parametrize(
    "files",
    [
        {
            **V1,
            "cpu/cpu.cfs_quota_us": "-1\n",
            "memory/memory.limit_in_bytes": V1_UNLIMITED,
        },
        {**V2, "cpu.max": "max 100000\n", "memory.max": "max\n"},
    ],
)
def test_no_limit_is_no_number(tmp_path: Path, files: dict[str, str]) -> None:
    found = cgroup.read(mount(tmp_path, files))
    assert found is not None
    assert (found.cpu_limit_cores, found.memory_limit_bytes, found.limited) == (None, None, False)
    assert found.cpu_seconds == 2.5


def test_what_a_kernel_does_not_offer_is_unknown_and_not_zero(tmp_path: Path) -> None:
    few = {"cgroup.controllers": "memory", "cpu.stat": "usage_usec 5\n", "memory.max": "64\n"}
    assert cgroup.read(mount(tmp_path, few)) == Accounting(
        cpu_seconds=pytest.approx(5e-6), memory_limit_bytes=64
    )


def test_without_a_control_group_there_is_no_account(tmp_path: Path) -> None:
    assert cgroup.read(tmp_path) is None
    assert cgroup.read(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("pid", "parent", "init", "expected"),
    [
        (1, 0, "python", True),
        (7, 1, "docker-init", True),
        (7, 1, "tini", True),
        (7, 1, "python", False),
        (7, 1, "systemd", False),
        (7, 3, "docker-init", False),
    ],
)
def test_group_is_that_of_the_process_which_the_container_is_for(
    tmp_path: Path, pid: int, parent: int, init: str, expected: bool
) -> None:
    mount(tmp_path, {"1/comm": f"{init}\n"})
    assert cgroup.leads(pid, parent, tmp_path) is expected


def test_process_beside_others_has_no_account_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = mount(tmp_path / "group", V2)
    assert cgroup.own(group) is None
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert cgroup.own(group) == WHOLE
    assert cgroup.own(mount(group, {"cpu.max": "max 100000", "memory.max": "max"})) is None


def exposed(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.split() for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_account_is_exposed_and_read_anew_at_each_scrape() -> None:
    accounts = [WHOLE]
    registry = CollectorRegistry()
    accounting.expose(registry, lambda: accounts[-1])
    assert exposed(registry) == {
        "taskqueue_cgroup_cpu_seconds_total": 2.5,
        "taskqueue_cgroup_cpu_throttled_seconds_total": 1.5,
        "taskqueue_cgroup_cpu_periods_total": 40,
        "taskqueue_cgroup_cpu_throttled_periods_total": 10,
        "taskqueue_cgroup_cpu_limit_cores": 0.5,
        "taskqueue_cgroup_memory_bytes": 3000,
        "taskqueue_cgroup_memory_peak_bytes": 9000,
        "taskqueue_cgroup_memory_limit_bytes": 268_435_456,
    }
    accounts.append(Accounting(cpu_seconds=9.0, memory_limit_bytes=64))
    assert exposed(registry) == {
        "taskqueue_cgroup_cpu_seconds_total": 9.0,
        "taskqueue_cgroup_memory_limit_bytes": 64,
    }


def test_process_without_a_budget_has_no_such_metric() -> None:
    registry = CollectorRegistry()
    accounting.expose(registry, lambda: None)
    assert exposed(registry) == {}
