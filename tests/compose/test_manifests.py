"""The Compose files in the project, as Compose itself reads them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from common.config import PREFIX, Settings
from testbed import designs, manifests
from testbed.spec import Budget, StackSpec
from tests.support.stacks import ROOT

ROLES = ("load", "load-worker")


def read(design: str, *options: str) -> dict[str, Any]:
    """Return a Compose file as Compose understands it, with everything filled in."""
    file = ("--file", f"compose/design-{design}.yaml")
    done = subprocess.run(
        ["docker", "compose", *file, *options, "config", "--format=json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.needs("engine")
@pytest.mark.parametrize("design", ["a", "b"])
@pytest.mark.needs("engine")
def test_compose_file_says_what_local_processes_are_started_with(design: str) -> None:
    topology = designs.load(design)
    services = read(design)["services"]
    assert services.keys() == {each.name for each in topology.processes}
    for process in topology.processes:
        service = services[process.name]
        local = topology.environment(process.name, StackSpec().slots, {})
        assert service["command"] == ["python", "-m", process.module]
        inside = service["environment"]
        # The same settings; only the addresses are those of containers.
        addresses = {f"{PREFIX}{name}" for name in ("LISTEN", "METRICS", "PEERS")}
        assert {k: v for k, v in inside.items() if k not in addresses} == {
            k: v for k, v in local.items() if k not in addresses
        }
        settings = Settings.from_environment(inside)
        assert dict(settings.peers) == {
            peer: f"{peer}:{topology.process(peer).port}" for peer in process.peers
        }
        published = {(each["host_ip"], int(each["published"])) for each in service["ports"]}
        assert published == {("127.0.0.1", process.port), ("127.0.0.1", process.metrics_port)}


@pytest.mark.needs("engine")
def test_both_designs_have_the_same_budget_in_each_container() -> None:
    budgets = {
        design: {(each["cpus"], each["mem_limit"]) for each in read(design)["services"].values()}
        for design in ("a", "b")
    }
    total = Budget()
    assert budgets["a"] == budgets["b"] == {(total.cpus / 6, str((total.memory_mib << 20) // 6))}


@pytest.mark.needs("engine")
def test_load_of_both_designs_fits_into_one_project() -> None:
    services = {design: read(design, "--profile=load")["services"] for design in ("a", "b")}
    assert not services["a"].keys() & services["b"].keys()
    published = [
        each["published"]
        for found in services.values()
        for service in found.values()
        for each in service.get("ports", [])
    ]
    assert len(set(published)) == len(published)
    for design, found in services.items():
        hosts = {found[f"{role}-{design}"]["environment"]["LOCUST_HOST"] for role in ROLES}
        assert hosts == {",".join(designs.load(design).endpoints(str))}


def test_committed_manifests_are_those_of_the_topologies() -> None:
    assert manifests.stale(ROOT) == []
