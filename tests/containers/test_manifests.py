"""The Compose files in the project, as Compose itself reads them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from common.config import PREFIX, SECRET_VARIABLE, Settings
from common.stack_spec import Budget, StackSpec
from testbed.stack import designs, manifests
from testbed.stack.runtimes import secret
from tests.support.stacks import ROOT

ROLES = ("load", "load-worker")


def read(design: str, *options: str) -> dict[str, Any]:
    """Return a Compose file as Compose understands it, with everything filled in."""
    file = ("--file", f"compose/design-{design}.yaml")
    done = subprocess.run(
        ["docker", "compose", *file, *options, "config", "--format=json"],
        cwd=ROOT,
        env={**os.environ, SECRET_VARIABLE: "/the/secret"},
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
        addresses = {f"{PREFIX}{name}" for name in ("LISTEN", "METRICS", "PEERS", "SECRET_FILE")}
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
@pytest.mark.parametrize("design", ["a", "b"])
def test_each_process_finds_the_secret_and_load_does_not(design: str) -> None:
    found = read(design, "--profile=load")
    assert found["secrets"]["stack"]["file"] == "/the/secret"
    for name, service in found["services"].items():
        (given,) = service.get("secrets", [None])
        is_load = name.startswith(ROLES)
        assert (given is None) == is_load
        if given is not None:
            variable = service["environment"][SECRET_VARIABLE]
            assert variable == f"/run/secrets/{given['source']}"


@pytest.mark.needs("engine")
def test_compose_called_by_hand_without_a_secret_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "design-a.yaml").write_bytes((ROOT / "compose/design-a.yaml").read_bytes())
    command = ["docker", "compose", "--file", str(tmp_path / "design-a.yaml"), "config", "--quiet"]
    environment = {key: text for key, text in os.environ.items() if key != SECRET_VARIABLE}
    run = functools.partial(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60
    )
    refused = run()
    assert refused.returncode != 0
    assert "make secret" in refused.stderr
    for _ in range(2):
        made = secret.for_compose(tmp_path)
        assert run().returncode == 0
    assert made.read_text().strip() not in (tmp_path / ".env").read_text()


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
