"""The Kubernetes objects, put together by kustomize and held against Kubernetes' own schemas.

That they are well formed is not that a cluster runs them: there is none here.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.config import PREFIX, Settings
from common.stack_spec import Budget, StackSpec
from common.topology import Topology
from testbed.stack import designs, manifests
from testbed.stack.manifests import load
from tests.support import needs
from tests.support.stacks import ROOT

# The oldest that is promised, and the newest that the schemas at hand know.
VERSIONS = ("1.27", kubernetes_validate.latest_version())
DESIGNS = ("a", "b")
# And one whose process is not ours.
EVERY = (*DESIGNS, "node")
Objects = dict[tuple[str, str], dict[str, Any]]


def kustomized(design: str) -> Objects:
    """Return what would be applied, by kind and name."""
    found = next(name for name in needs.KUSTOMIZE if shutil.which(name))
    done = subprocess.run(
        [found, *needs.KUSTOMIZE[found], f"compose/kubernetes/{design}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    objects = {(each["kind"], each["metadata"]["name"]): each for each in made}
    assert len(objects) == len(made)
    return objects


@pytest.fixture(scope="module")
def objects() -> dict[str, Objects]:
    return {design: kustomized(design) for design in EVERY}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("design", EVERY)
@pytest.mark.needs("kustomize")
def test_every_object_is_one_of_kubernetes(
    objects: dict[str, Objects], design: str, version: str
) -> None:
    for each in objects[design].values():
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.needs("kustomize")
def test_misspelt_field_is_noticed(objects: dict[str, Objects]) -> None:
    wrong = copy.deepcopy(objects["a"]["StatefulSet", "worker"])
    pod = wrong["spec"]["template"]["spec"]
    pod["enableServiceLink"] = pod.pop("enableServiceLinks")
    with pytest.raises(kubernetes_validate.ValidationError, match="enableServiceLink"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.needs("kustomize")
def test_pods_are_started_with_what_the_topology_says(
    objects: dict[str, Objects], design: str
) -> None:
    topology = designs.load(design)
    names = {name for kind, name in objects[design] if kind == "StatefulSet"}
    assert names == {each.name for each in topology.processes}
    for process in topology.processes:
        container = container_of(objects[design]["StatefulSet", process.name])
        assert container["command"] == ["python", "-m", process.module]
        variables = environment(container, pod=f"{process.name}-0")
        settings = Settings.from_environment(variables)
        assert settings.name == (f"{process.name}-0" if process.scalable else process.name)
        assert settings.listen == f"0.0.0.0:{process.port}"
        assert container["startupProbe"]["grpc"]["port"] == process.port
        assert settings.slots == slots_of(topology, process.name)
        assert_finds_secret(objects[design]["StatefulSet", process.name], settings.secret_file)
        for peer, address in settings.peers.items():
            ports = objects[design]["Service", peer]["spec"]["ports"]
            assert address in {f"{peer}:{port['port']}" for port in ports}


@pytest.mark.parametrize("design", EVERY)
@pytest.mark.needs("kustomize")
def test_each_name_leads_to_the_pods_of_that_name(objects: dict[str, Objects], design: str) -> None:
    runs = {
        name: each["spec"]["template"]
        for (kind, name), each in objects[design].items()
        if kind in {"StatefulSet", "Deployment"}
    }
    for (kind, name), each in objects[design].items():
        if kind == "Service":
            chosen = [
                other
                for other, template in runs.items()
                if each["spec"]["selector"].items() <= template["metadata"]["labels"].items()
            ]
            assert chosen == [name]
            offered = {
                port["containerPort"] for port in runs[name]["spec"]["containers"][0]["ports"]
            }
            assert {port["port"] for port in each["spec"]["ports"]} <= offered


@pytest.mark.needs("kustomize")
def test_both_designs_have_the_same_budget_in_each_pod(objects: dict[str, Objects]) -> None:
    total = Budget()
    for design in DESIGNS:
        sets = [each for (kind, _), each in objects[design].items() if kind == "StatefulSet"]
        assert len(sets) == 6
        for each in sets:
            resources = container_of(each)["resources"]
            limits = {
                "cpu": f"{total.cpus / 6 * 1000:.0f}m",
                "memory": f"{total.memory_mib // 6}Mi",
            }
            assert resources == {"requests": limits, "limits": limits}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.needs("kustomize")
def test_locust_drives_the_entries_and_finds_its_master(
    objects: dict[str, Objects], design: str
) -> None:
    found = objects[design]
    data = found["ConfigMap", "load"]["data"]
    assert data["LOCUST_HOST"] == ",".join(designs.load(design).endpoints(str))
    worker = container_of(found["Deployment", "load-worker"])
    assert worker["args"][-2:] == ["--master-host", "load"]
    ports = {port["name"]: port["port"] for port in found["Service", "load"]["spec"]["ports"]}
    assert ports == {"web": load.WEB_PORT, "master": load.MASTER_PORT, "metrics": load.LOAD_PORT}


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_are_named_by_the_pods_and_share_the_slots(workers: int) -> None:
    text = manifests.get("kubernetes").render(designs.load("a"), StackSpec(12, workers))
    found = {(e["kind"], e["metadata"]["name"]): e for e in yaml.safe_load_all(text)}
    worker = found["StatefulSet", "worker"]
    assert worker["spec"]["replicas"] == workers
    read = [
        Settings.from_environment(environment(container_of(worker), pod=f"worker-{number}"))
        for number in range(workers)
    ]
    assert [each.name for each in read] == [f"worker-{number}" for number in range(workers)]
    assert sum(each.slots for each in read) == 12


def assert_finds_secret(owner: dict[str, Any], path: str) -> None:
    """A file of a secret is where the process looks for the secret of its stack."""
    (mount,) = (e for e in container_of(owner)["volumeMounts"] if e["mountPath"] == path)
    volumes = {each["name"]: each for each in owner["spec"]["template"]["spec"]["volumes"]}
    assert volumes[mount["name"]]["secret"] == {"secretName": "stack"}
    assert mount["readOnly"]
    assert mount["subPath"] == "stack"


def container_of(owner: dict[str, Any]) -> dict[str, Any]:
    """Return the only container of what runs pods."""
    (container,) = owner["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(container: dict[str, Any], pod: str) -> dict[str, str]:
    """Return the environment of a container in a pod of that name."""
    found = {}
    for each in container["env"]:
        if "valueFrom" in each:
            assert each["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
        found[each["name"]] = each.get("value", pod)
    return found


def slots_of(topology: Topology, name: str) -> int:
    """Return the slots of a process as a local one has them."""
    return int(topology.environment(name, StackSpec().slots, {})[f"{PREFIX}SLOTS"])
