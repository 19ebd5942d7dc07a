"""What every format says: services of one process or of several alike, their environment, budget.

A *service* is what an orchestrator starts from one description. Copies of a scalable process are
one service, which the orchestrator numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from common.config import PREFIX
from common.process_spec import STOP_SIGNAL
from common.stack_spec import Budget, Source, StackSpec
from common.topology import LINKS, ProcessSpec, Topology, role_of
from testbed.errors import TestbedError
from testbed.stack import prepare
from testbed.stack.records import ProcessBudget

IMAGE = "taskqueue-testbed"
LOAD_IMAGE = "taskqueue-testbed-load"
# Variables that manifests take from the environment.
IMAGE_VARIABLE, LOAD_IMAGE_VARIABLE = "TESTBED_IMAGE", "TESTBED_LOAD_IMAGE"
# The user of the image, see compose/Dockerfile.
USER_ID = 10001
# The secret by which the processes of a stack know each other, and where each container has it.
SECRET = "stack"  # noqa: S105  # its name
SECRET_FILE = f"/run/secrets/{SECRET}"
NAME_VARIABLE = f"{PREFIX}NAME"
STOP_GRACE = 10
# The code of the project in an image that is built from it.
TREE = "/app"


@dataclass(frozen=True)
class Service:
    """``count`` processes that are alike. ``process`` is what each listens on and calls, filled.

    ``environment`` lacks the name if there may be several, since each needs one of its own.
    """

    name: str
    process: ProcessSpec
    environment: Mapping[str, str]
    count: int = 1


def variable(name: str, default: object) -> str:
    """Return what stands for a variable of the environment, or for the default without it."""
    return f"${{{name}:-{default}}}"


def services(topology: Topology, spec: StackSpec) -> list[Service]:
    """Return the services of a stack in which each process has a host of its service's name.

    Raises :class:`TestbedError` for settings that are impossible and slots that cannot be shared.
    """
    if spec.links:
        raise TestbedError(
            "over several hosts there are no links to break",
            "stacks with links run as local processes or with Compose",
        )
    found: dict[str, Service] = {}
    for process in filled(prepare.scaled(topology, spec, one_host=False), spec):
        name, own = process.name, dict(process.environment)
        if process.scalable:
            name = role_of(name)
            own.pop(NAME_VARIABLE, None)
        count = found[name].count + 1 if name in found else 1
        found[name] = Service(name, replace(process, name=name), own, count)
    return list(found.values())


def filled(inside: Topology, spec: StackSpec) -> tuple[ProcessSpec, ...]:
    """Return the processes of a stack in which each has a host of its own name.

    Raises :class:`TestbedError` for one that has no image, and as
    :func:`testbed.stack.prepare.filled` does.
    """
    if bare := [each.name for each in inside.processes if not each.is_ours and each.image is None]:
        raise TestbedError(
            f"{', '.join(bare)} of design {inside.design} has no image for containers",
            "run the stack as local processes: --runtime local",
        )
    contained = tuple(each.in_container() for each in inside.processes)
    place = prepare.Place(
        host_of=str,
        bind="0.0.0.0",  # noqa: S104
        secret_file=SECRET_FILE,
        tree=TREE,
        data_of=data,
    )
    return prepare.filled(replace(inside, processes=contained), spec, place)


def has_ours(topology: Topology) -> bool:
    """Say whether there is a process of ours, which needs the secret."""
    return any(each.is_ours for each in topology.processes)


def image(process: ProcessSpec, source: Source | None = None) -> str:
    """Return the image of a process; another one of ours may be named by the environment.

    What is built from a ``source`` has its revision as a tag.
    """
    name = process.image.name if process.image else IMAGE
    if source and is_built(process):
        return f"{name}:{source.revision[:12]}"
    return name if process.image else variable(IMAGE_VARIABLE, name)


def is_built(process: ProcessSpec) -> bool:
    """Say whether the image of a process is made from the project, and not fetched."""
    return process.image is None or bool(process.image.dockerfile)


def data(process: ProcessSpec) -> str:
    """Return the folder of the files of a process, in its container."""
    return process.image.data if process.image else TREE


def command(process: ProcessSpec) -> list[str]:
    """Return what starts a process in its image."""
    return ["python", "-m", process.module] if process.is_ours else list(process.command)


def stop_signal(process: ProcessSpec) -> dict[str, Any]:
    """Return what asks a process to stop, for Compose and Swarm, where it is not the usual."""
    asks = process.stop_signal
    return {"stop_signal": asks} if asks != STOP_SIGNAL else {}


def literally(process: ProcessSpec) -> dict[str, Any]:
    """Return what starts a process of others, for Compose and Swarm to take as it is written."""
    environment = {name: _literal(text) for name, text in process.environment.items()}
    return {
        "command": [_literal(each) for each in process.command],
        **({"environment": environment} if environment else {}),
    }


def _literal(text: str) -> str:
    # A dollar would begin the name of a variable.
    return text.replace("$", "$$")


def probe(process: ProcessSpec) -> list[str]:
    """Return what asks a process for its health, in its container; nothing if nothing there can."""
    if process.is_ours:
        return ["python", "-m", "common.rpc.probe", f"127.0.0.1:{process.port}"]
    return [_literal(each) for each in process.ready.command]


def aliases(design: str, process: ProcessSpec) -> list[str]:
    """Return the names that are found from outside the stack: its own, and that of its role.

    Several workers have one name in common, under which all of them are found.
    """
    names = [process.name, *([role_of(process.name)] * process.scalable)]
    return [f"{name}.taskqueue-{design}" for name in dict.fromkeys(names)]


def budget_of_each(topology: Topology, spec: StackSpec) -> ProcessBudget:
    """Return the equal part of the budget of each process of a topology, memory in whole KiB.

    The proxy of links has none, and takes none from the others: it is no part of a design.
    """
    count = budgeted(topology)
    total = spec.budget or Budget()
    kib = total.memory_mib * 1024 // count
    return ProcessBudget(round(total.cpus / count, 4), kib * 1024)


def budgeted(topology: Topology) -> int:
    """Count the processes over which the budget is shared out."""
    return sum(each.name != LINKS for each in topology.processes)


def memory(budget: ProcessBudget, mib: str = "m", kib: str = "k") -> str:
    """Say an amount of memory with the units of a format."""
    whole, rest = divmod(budget.memory_bytes or 0, 1 << 20)
    return f"{(budget.memory_bytes or 0) // 1024}{kib}" if rest else f"{whole}{mib}"


def written(header: str, *documents: Mapping[str, Any]) -> str:
    """Return documents as YAML, below a header that says what they are."""
    options: dict[str, Any] = {"Dumper": _Plain, "sort_keys": False, "width": 100}
    return f"{header}\n" + "---\n".join(yaml.dump(dict(each), **options) for each in documents)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice: names for it make a file that people read no clearer."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the signature is yaml's
        return True
