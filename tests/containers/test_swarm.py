"""The designs as stacks of a Docker Swarm of one node, which is made for these tests alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack.manifests import load, swarm
from testbed.stack.runtimes import secret
from testbed.stack.runtimes.compose import engine
from tests.support import needs
from tests.support.contract import assert_contract_holds
from tests.support.docker import build_images, docker
from tests.support.stacks import SLOTS, TOPOLOGIES, shifted
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("engine")

NETWORK = f"taskqueue-test-{os.getpid()}"
# What a node gets when it enters a swarm; it loses but the second when it leaves.
GATEWAY_NETWORK = "docker_gwbridge"
ENDED = {"complete", "shutdown", "failed", "rejected", "orphaned", "remove"}


@pytest.fixture(scope="module")
def one_node_swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make this engine a swarm, with a network and a secret for stacks; leave it as it was."""
    client = engine.connect()
    if client.info()["Swarm"]["LocalNodeState"] != "inactive":
        needs.lacks("the engine is in a swarm already, which these tests leave alone")
    before = {each.name for each in client.networks.list()}
    build_images()
    loopback = ("--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    docker("swarm", "init", *loopback)
    try:
        docker("network", "create", "--driver", "overlay", "--attachable", NETWORK)
        secret.make(file := tmp_path_factory.mktemp("secret") / "private" / "secret")
        docker("secret", "create", NETWORK, str(file))
        yield
    finally:
        docker("swarm", "leave", "--force")
        added = {each.name: each for each in client.networks.list() if each.name not in before}
        if GATEWAY_NETWORK in added:
            added[GATEWAY_NETWORK].remove()
    left = {each.name for each in client.networks.list()} - before
    assert not left & {NETWORK, GATEWAY_NETWORK, "ingress"}


class SwarmStack:
    """A deployed stack, with ports of its own."""

    def __init__(self, topology: Topology, directory: Path) -> None:
        self.topology = topology
        self.name = f"{NETWORK}-{topology.design}"
        self._file = directory / "swarm.yaml"
        # Of design A two workers, for the orchestrator to name.
        self._spec = StackSpec(SLOTS, workers=2)

    def deploy(self) -> None:
        """Deploy the stack and wait until every task is healthy."""
        self._file.write_text(swarm.render(self.topology, self._spec))
        variables = {swarm.NETWORK_VARIABLE: NETWORK, swarm.SECRET_VARIABLE: NETWORK}
        docker("stack", "deploy", "--compose-file", str(self._file), self.name, env=variables)
        try:
            eventually(self.replicas, until=_all_run, within=180, what="all tasks")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._missing()}") from error

    def replicas(self) -> dict[str, str]:
        """Return how many tasks of each service run, and how many are to."""
        output = docker("stack", "services", "--format", "{{.Name}} {{.Replicas}}", self.name)
        return dict(line.split(" ", 1) for line in output.splitlines())

    def _missing(self) -> str:
        """Return what became of the tasks of services that lack one, with the ends of their logs.

        An ended task is not started again, and its container is gone after a while.
        """
        short = [name for name, each in self.replicas().items() if not _all_run({name: each})]
        state = "{{.Name}} {{.CurrentState}} {{.Error}}"
        told = [docker("service", "ps", "--no-trunc", "--format", state, each) for each in short]
        logs = [docker("service", "logs", "--tail", "20", each) for each in short]
        return "\n".join(told + logs)

    def scale(self, service: str, count: int) -> None:
        """Run so many tasks of a service."""
        docker("service", "scale", "--detach", f"{self.name}_{service}={count}")

    def remove(self) -> None:
        """Remove the stack and wait until its containers and volumes are removed."""
        docker("stack", "rm", self.name)
        label = f"com.docker.stack.namespace={self.name}"
        client = engine.connect()
        eventually(
            lambda: client.containers.list(all=True, filters={"label": label}, ignore_removed=True),
            until=lambda found: not found,
            within=90,
            what="the end of all containers",
        )
        for volume in client.volumes.list(filters={"label": label}):
            volume.remove()


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest,
    one_node_swarm: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SwarmStack]:
    """A stack for the tests of its design, in their order."""
    made = SwarmStack(shifted(TOPOLOGIES[request.param]), tmp_path_factory.mktemp("stack"))
    try:
        made.deploy()
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize("stack", ["a", "b"], indirect=True)
def test_contract_holds_and_locust_drives_a_stack_in_a_swarm(
    stack: SwarmStack, tmp_path: Path
) -> None:
    assert_contract_holds(stack.topology.endpoints(), SLOTS)
    _drive(stack, tmp_path)


def _drive(stack: SwarmStack, directory: Path) -> None:
    """Drive the stack from a master beside the swarm with two workers in it."""
    design, results = stack.topology.design, directory / "results"
    results.mkdir()
    stack.scale(load.worker(design), 2)
    docker(
        *("run", "--rm", "--network", NETWORK, "--network-alias", load.master(design)),
        *("--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{results}:{load.RESULTS}"),
        *("--env", f"LOCUST_HOST={load.target(stack.topology)}", "taskqueue-testbed-load"),
        *(load.LOCUSTFILE, "--master", "--headless", "--expect-workers", "2"),
        *("-u", "6", "-r", "6", "-t", "4s", "--only-summary", "--record", "results/one"),
    )
    record = json.loads((results / "one" / "load.json").read_text())
    assert record["accepted"] > 0
    assert not [kinds for call in record["calls"].values() for kinds in call["error_kinds"]]


@pytest.mark.parametrize("stack", ["a"], indirect=True)
def test_tasks_are_limited_named_found_and_not_started_again(stack: SwarmStack) -> None:
    client = engine.connect()
    label = f"com.docker.swarm.service.name={stack.name}_"
    workers = client.containers.list(filters={"label": f"{label}worker"})
    names = {
        variable.partition("=")[2]
        for each in workers
        for variable in each.attrs["Config"]["Env"]
        if variable.startswith("TASKQUEUE_NAME=")
    }
    assert names == {"worker-1", "worker-2"}
    limits = workers[0].attrs["HostConfig"]
    # Seven processes share the budget of three cores and 3072 MiB.
    assert (limits["NanoCpus"], limits["Memory"]) == (428_600_000, 3072 * 1024 // 7 * 1024)
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    gateway = client.containers.list(filters={"label": f"{label}gateway"})[0]
    lookup = "import socket; print(len(socket.gethostbyname_ex('worker.taskqueue-a')[2]))"
    assert gateway.exec_run(["python", "-c", lookup]).output.decode().strip() == "2"
    workers[0].kill()
    eventually(
        lambda: _tasks_of(f"{stack.name}_worker"),
        until=lambda states: any(each in ENDED for each in states),
        within=60,
        what="the end of a worker",
    )
    # A task that is to start again has another one in its slot at once.
    assert len(_tasks_of(f"{stack.name}_worker")) == 2


def _tasks_of(service: str) -> list[str]:
    output = docker("service", "ps", "--format", "{{.CurrentState}}", service)
    return [line.split()[0].lower() for line in output.splitlines()]


def _all_run(replicas: dict[str, str]) -> bool:
    return all(len(set(each.split()[0].split("/"))) == 1 for each in replicas.values())
