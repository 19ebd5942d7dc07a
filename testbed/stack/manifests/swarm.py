"""A design's topology as a Docker Swarm stack."""

from __future__ import annotations

from typing import Any

from common.stack_spec import StackSpec
from common.topology import ProcessSpec, Topology
from testbed.stack import designs, prepare
from testbed.stack.manifests import load, parts
from testbed.stack.manifests.parts import NAME_VARIABLE, Service
from testbed.stack.records import ProcessBudget

NETWORK = "taskqueue-swarm"
# The volume of each host on which Locust leaves its records.
RESULTS = "results"
# Variables that a stack file takes from the environment.
NETWORK_VARIABLE = "TESTBED_NETWORK"
SECRET_VARIABLE = "TESTBED_SECRET"  # noqa: S105  # its name
STACK_NODES_VARIABLE, LOAD_NODES_VARIABLE = "TESTBED_STACK_NODES", "TESTBED_LOAD_NODES"
_ANY_NODE = "node.platform.os == linux"

_HEADER = """\
# Design {design}, {title}, as a Docker Swarm stack.
#
# Written by `make generate` from {source}: change it there. Other slots, workers
# and budgets: `testbed manifest {design} --format swarm --workers 3`. By hand, on a manager:
#
#   docker network create --driver overlay --attachable taskqueue-swarm
{secret}#   docker stack deploy --compose-file compose/swarm-{design}.yaml taskqueue-{design}
#   docker service scale taskqueue-{design}_load-{design}=1
#   docker service scale taskqueue-{design}_load-worker-{design}=3
#   docker stack rm taskqueue-{design}
#
# docs/several-hosts.md goes through it step by step.
"""
_SECRET = "#   openssl rand -hex 16 | docker secret create taskqueue-swarm -\n"  # noqa: S105  # a command


def path(design: str) -> str:
    """Return where the stack file of a design lies, from the root of the project."""
    return f"compose/swarm-{design}.yaml"


def render(topology: Topology, spec: StackSpec) -> str:
    """Return the stack file.

    Raises :class:`TestbedError` for settings that are impossible and slots that cannot be shared.
    """
    header = _HEADER.format(
        design=topology.design,
        title=topology.title,
        source=designs.source(topology.design),
        secret=_SECRET if parts.has_ours(topology) else "",
    )
    return parts.written(header, document(topology, spec))


def document(topology: Topology, spec: StackSpec) -> dict[str, Any]:
    """Return the contents of the stack file; see :func:`render`."""
    budget = parts.budget_of_each(prepare.scaled(topology, spec), spec)
    secret = {"external": True, "name": parts.variable(SECRET_VARIABLE, NETWORK)}
    return {
        "version": "3.9",
        "services": {
            **{
                each.name: _service(topology, each, budget)
                for each in parts.services(topology, spec)
            },
            **_load_services(topology),
        },
        "networks": {
            NETWORK: {"external": True, "name": parts.variable(NETWORK_VARIABLE, NETWORK)}
        },
        "volumes": {RESULTS: {}},
        **({"secrets": {parts.SECRET: secret}} if parts.has_ours(topology) else {}),
    }


def _service(topology: Topology, service: Service, budget: ProcessBudget) -> dict[str, Any]:
    process = service.process
    entry = service.name in topology.entries
    return {
        **_started(service),
        "networks": {NETWORK: {"aliases": parts.aliases(topology.design, process)}},
        **({"ports": [_published(process)]} if entry else {}),
        **_healthcheck(process),
        **parts.stop_signal(process),
        "stop_grace_period": f"{parts.STOP_GRACE}s",
        **(_confined() if process.is_ours else _trusted(process)),
        "deploy": {
            **_deployed(service.count, STACK_NODES_VARIABLE),
            "resources": {"limits": {"cpus": str(budget.cpus), "memory": parts.memory(budget)}},
        },
    }


def _started(service: Service) -> dict[str, Any]:
    process = service.process
    image = {"image": parts.image(process)}
    if not process.is_ours:
        return {**image, **parts.literally(process)}
    # The orchestrator numbers what is alike.
    own = {NAME_VARIABLE: f"{service.name}-{{{{.Task.Slot}}}}"} if process.scalable else {}
    return {
        **image,
        "command": parts.command(process),
        "environment": {**own, **service.environment},
        "secrets": [parts.SECRET],
    }


def _healthcheck(process: ProcessSpec) -> dict[str, Any]:
    if not (probe := parts.probe(process)):
        return {}
    return {
        "healthcheck": {
            "test": ["CMD", *probe],
            # A task has no name on the network before its first probe, and is ended after so many
            # that failed: soon enough for the one, late enough for what is merely overloaded.
            "interval": "15s",
            "timeout": "10s",
            "retries": 8,
            "start_period": "60s",
        }
    }


def _load_services(topology: Topology) -> dict[str, Any]:
    """Return Locust's master and worker, of which there are none until they are scaled.

    They have no budget: a load generator that is held back measures itself.
    """
    design, confined = topology.design, _confined()
    results = {"type": "volume", "source": RESULTS, "target": load.RESULTS}
    shared = {
        "image": parts.variable(parts.LOAD_IMAGE_VARIABLE, parts.LOAD_IMAGE),
        **confined,
        "volumes": [*confined["volumes"], results],
        "deploy": _deployed(0, LOAD_NODES_VARIABLE),
    }
    web = {"target": load.WEB_PORT, "published": load.web_port(design), "mode": "host"}
    master = {
        "command": load.master_arguments(),
        "environment": load.master_environment(topology),
        # Where Prometheus looks for it.
        "networks": {NETWORK: {"aliases": [load.LOAD_NAME]}},
        "ports": [web],
    }
    worker = {
        "command": load.worker_arguments(design),
        "environment": load.environment(topology),
        "networks": [NETWORK],
    }
    return {
        load.master(design): {**shared, **master},
        load.worker(design): {**shared, **worker},
    }


def _published(process: ProcessSpec) -> dict[str, Any]:
    """Publish on the host that runs the task: the routing mesh would add a hop."""
    return {"target": process.port, "published": process.port, "mode": "host"}


def _deployed(replicas: int, nodes_variable: str) -> dict[str, Any]:
    return {
        "replicas": replicas,
        # Names lead to the tasks themselves, not to a virtual address that a kernel module serves.
        "endpoint_mode": "dnsrr",
        # A process that ends stays ended, so that a trial sees it.
        "restart_policy": {"condition": "none"},
        "placement": {"constraints": [parts.variable(nodes_variable, _ANY_NODE)]},
    }


def _confined() -> dict[str, Any]:
    return {
        "read_only": True,
        # Not the key `tmpfs`, which a stack ignores without a word.
        "volumes": [{"type": "tmpfs", "target": "/tmp"}],  # noqa: S108
        "cap_drop": ["ALL"],
        **_logging(),
    }


def _trusted(process: ProcessSpec) -> dict[str, Any]:
    """Return what holds for an image of others: it may change its user and writes where it likes.

    Its files are in a volume without a name, on the host that runs the task.
    """
    volume = {"type": "volume", "target": parts.data(process)}
    return {**_logging(), **({"volumes": [volume]} if process.keeps_files else {})}


def _logging() -> dict[str, Any]:
    return {"logging": {"driver": "json-file", "options": {"max-size": "50m"}}}
