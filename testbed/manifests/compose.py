"""A design's topology as a Compose file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from common.topology import ProcessSpec, Topology, role_of
from testbed.runtimes import prepare
from testbed.spec import Budget, StackSpec
from testbed.stacks import ProcessBudget

IMAGE = "taskqueue-testbed"
PROJECT = "taskqueue"
# Variables that a Compose file takes from the environment.
IMAGE_VARIABLE = "TESTBED_IMAGE"
PROJECT_VARIABLE = "TESTBED_PROJECT"
STACK_VARIABLE = "TESTBED_STACK"
# Labels of a container.
STACK_LABEL, DESIGN_LABEL, PROCESS_LABEL = "testbed.stack", "testbed.design", "testbed.process"

_HEADER = """\
# Design {design}, {title}, as containers.
#
# Written by `make generate` from design_{design}/topology.py, which local processes are started
# from too: change it there. By hand, from the project's root:
#
#   docker compose -f compose/design-{design}.yaml up --build --detach
#   docker compose -f compose/design-{design}.yaml down
#
# `testbed up {design} --runtime compose` does the same with other slots, workers, settings and
# budgets, and waits until all of it serves.
"""


def path(design: str) -> str:
    """Return where the Compose file of a design lies, from the root of the project."""
    return f"compose/design-{design}.yaml"


def render(topology: Topology, spec: StackSpec) -> str:
    """Return the Compose file of a stack.

    Raises :class:`TestbedError` for settings that are impossible and slots that cannot be shared.
    """
    header = _HEADER.format(design=topology.design, title=topology.title)
    body = yaml.safe_dump(document(topology, spec), sort_keys=False, width=100)
    return f"{header}\n{body}"


def document(topology: Topology, spec: StackSpec) -> dict[str, Any]:
    """Return the contents of the Compose file; see :func:`render`."""
    scaled, inside = spec.scaled(topology), spec.scaled(topology, one_host=False)
    environments = prepare.environments(inside, spec, host_of=str, bind="0.0.0.0")  # noqa: S104
    budget = budget_of_each(scaled, spec)
    return {
        "name": f"${{{PROJECT_VARIABLE}:-{PROJECT}}}",
        "services": {
            each.name: {
                **_service(scaled.design, each, environments[each.name], budget),
                "ports": _ports(scaled.process(each.name), each),
            }
            for each in inside.processes
        },
        "networks": {PROJECT: {"name": f"${{{PROJECT_VARIABLE}:-{PROJECT}}}"}},
    }


def budget_of_each(topology: Topology, spec: StackSpec) -> ProcessBudget:
    """Return the equal part of the budget that each process gets, memory in whole KiB."""
    total, count = spec.budget or Budget(), len(topology.processes)
    kib = total.memory_mib * 1024 // count
    return ProcessBudget(round(total.cpus / count, 4), kib * 1024)


def _memory(budget: ProcessBudget) -> str:
    """Say an amount of memory as Compose reads it."""
    mib, rest = divmod(budget.memory_bytes or 0, 1 << 20)
    return f"{mib}m" if not rest else f"{(budget.memory_bytes or 0) // 1024}k"


def _service(
    design: str, process: ProcessSpec, environment: Mapping[str, str], budget: ProcessBudget
) -> dict[str, Any]:
    return {
        "image": f"${{{IMAGE_VARIABLE}:-{IMAGE}}}",
        "build": {"context": "..", "dockerfile": "compose/Dockerfile", "target": "stack"},
        "command": ["python", "-m", process.module],
        "environment": dict(environment),
        # Several workers have one name in common, under which all of them are found.
        "networks": {
            PROJECT: {"aliases": [f"{role}.taskqueue-{design}" for role in _names(process)]}
        },
        "cpus": budget.cpus,
        "mem_limit": _memory(budget),
        # No swap: a process that needs more is ended, not slowed down.
        "memswap_limit": _memory(budget),
        "healthcheck": {
            "test": ["CMD", "python", "-m", "common.rpc.probe", f"127.0.0.1:{process.port}"],
            # A probe costs the container a tenth of a second of CPU, so it is a rare one.
            "interval": "60s",
            "timeout": "10s",
            "retries": 2,
            "start_period": "60s",
        },
        # A process that ends stays ended, so that a trial sees it.
        "restart": "no",
        "stop_grace_period": "10s",
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "50m"}},
        "labels": {
            STACK_LABEL: f"${{{STACK_VARIABLE}:-}}",
            DESIGN_LABEL: design,
            PROCESS_LABEL: process.name,
        },
    }


def _ports(outside: ProcessSpec, inside: ProcessSpec) -> list[str]:
    """Publish on this machine alone; between containers it is the names that count."""
    return [
        f"127.0.0.1:{outside.port}:{inside.port}",
        f"127.0.0.1:{outside.metrics_port}:{inside.metrics_port}",
    ]


def _names(process: ProcessSpec) -> list[str]:
    """Return the name of a process, and that of its role where several are called by it."""
    return list(dict.fromkeys([process.name, *([role_of(process.name)] * process.scalable)]))
