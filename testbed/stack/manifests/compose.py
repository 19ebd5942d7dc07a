"""A design's topology as a Compose file."""

from __future__ import annotations

from typing import Any

from common.config import SECRET_VARIABLE
from common.stack_spec import Source, StackSpec
from common.topology import LINKS, ProcessSpec, Topology
from testbed.stack import designs, prepare
from testbed.stack.manifests import load, parts
from testbed.stack.records import ProcessBudget

PROJECT = "taskqueue"
# The project's root, from where the Compose files lie.
_PROJECT = ".."
# Variables that a Compose file takes from the environment.
PROJECT_VARIABLE = "TESTBED_PROJECT"
STACK_VARIABLE = "TESTBED_STACK"
USER_VARIABLE = "TESTBED_USER"
# Labels of a container.
STACK_LABEL, DESIGN_LABEL, PROCESS_LABEL = "testbed.stack", "testbed.design", "testbed.process"

_HEADER = """\
# Design {design}, {title}, as containers.
#
# Written by `make generate` from {source}, which local processes are started
# from too: change it there. By hand, from the project's root:
#
{secret}#   docker compose -f compose/design-{design}.yaml up --build --detach
#   docker compose -f compose/design-{design}.yaml down
#
# `testbed up {design} --runtime compose` does the same with other slots, workers, settings and
# budgets, and waits until all of it serves.
#
# With `--profile load` Locust runs beside it, its web UI on 127.0.0.1:{web}, workers as many as
# `--scale {worker}=3` says.
"""
_SECRET = "#   make secret     # once: what the processes of a stack know each other by\n"  # noqa: S105


def path(design: str) -> str:
    """Return where the Compose file of a design lies, from the root of the project."""
    return f"compose/design-{design}.yaml"


def render(topology: Topology, spec: StackSpec) -> str:
    """Return the Compose file of a stack.

    Raises :class:`TestbedError` for settings that are impossible and slots that cannot be shared.
    """
    header = _HEADER.format(
        design=topology.design,
        source=designs.source(topology.design),
        secret=_SECRET if parts.has_ours(topology) else "",
        title=topology.title,
        web=load.web_port(topology.design),
        worker=load.worker(topology.design),
    )
    return parts.written(header, document(topology, spec))


def document(topology: Topology, spec: StackSpec) -> dict[str, Any]:
    """Return the contents of the Compose file; see :func:`render`."""
    scaled = prepare.scaled(topology, spec)
    inside = prepare.scaled(topology, spec, one_host=False)
    filled = parts.filled(inside, spec)
    budget = parts.budget_of_each(scaled, spec)
    secret = {"file": f"${{{SECRET_VARIABLE}:?make one first with: make secret}}"}
    return {
        "name": parts.variable(PROJECT_VARIABLE, PROJECT),
        "services": {
            **{
                each.name: {
                    **_service(scaled.design, each, budget, prepare.source_of(spec, each.name)),
                    **_ports(scaled.process(each.name), each),
                }
                for each in filled
            },
            **_load_services(inside),
        },
        "networks": {PROJECT: {"name": parts.variable(PROJECT_VARIABLE, PROJECT)}},
        **({"secrets": {parts.SECRET: secret}} if parts.has_ours(inside) else {}),
    }


def _service(
    design: str, process: ProcessSpec, budget: ProcessBudget, source: Source | None
) -> dict[str, Any]:
    return {
        **_started(process, source),
        "networks": {PROJECT: {"aliases": parts.aliases(design, process)}},
        **(_limits(budget) if process.name != LINKS else {}),
        **_healthcheck(process),
        # A process that ends stays ended, so that a trial sees it.
        "restart": "no",
        **parts.stop_signal(process),
        "stop_grace_period": f"{parts.STOP_GRACE}s",
        **(_confined() if process.is_ours else _trusted(process)),
        "labels": {
            STACK_LABEL: parts.variable(STACK_VARIABLE, ""),
            DESIGN_LABEL: design,
            PROCESS_LABEL: process.name,
        },
    }


def _started(process: ProcessSpec, source: Source | None) -> dict[str, Any]:
    image = {"image": parts.image(process, source)}
    context = source.tree if source else _PROJECT
    if process.is_ours:
        return {
            **image,
            "build": _build("stack", context),
            "command": parts.command(process),
            "environment": dict(process.environment),
            "secrets": [parts.SECRET],
        }
    own = process.image
    if own is None or not own.dockerfile:
        return {**image, **parts.literally(process)}
    # One without a value is that of the environment, and the Dockerfile's own if it has none.
    given = {"args": list(own.arguments)} if own.arguments else {}
    build = {"context": context, "dockerfile": own.dockerfile, **given}
    return {**image, "build": build, **parts.literally(process)}


def _healthcheck(process: ProcessSpec) -> dict[str, Any]:
    if not (probe := parts.probe(process)):
        return {}
    return {
        "healthcheck": {
            "test": ["CMD", *probe],
            # A probe costs the container a tenth of a second of CPU, so it is a rare one.
            "interval": "60s",
            "timeout": "10s",
            "retries": 2,
            "start_period": "60s",
        }
    }


def _limits(budget: ProcessBudget) -> dict[str, Any]:
    return {
        "cpus": budget.cpus,
        "mem_limit": parts.memory(budget),
        # No swap: a process that needs more is ended, not slowed down.
        "memswap_limit": parts.memory(budget),
    }


def _ports(outside: ProcessSpec, inside: ProcessSpec) -> dict[str, Any]:
    """Publish on this machine alone; between containers it is the names that count."""
    pairs = zip(outside.every_port().values(), inside.every_port().values(), strict=True)
    published = [f"127.0.0.1:{there}:{here}" for there, here in pairs]
    return {"ports": published} if published else {}


def _build(target: str, context: str = _PROJECT) -> dict[str, str]:
    return {"context": context, "dockerfile": "compose/Dockerfile", "target": target}


def _confined() -> dict[str, Any]:
    return {
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "cap_drop": ["ALL"],
        **_shared(),
    }


def _trusted(process: ProcessSpec) -> dict[str, Any]:
    """Return what holds for an image of others: it may change its user and writes where it likes.

    Its files are in a volume without a name, which goes with the container.
    """
    return {**_shared(), **({"volumes": [parts.data(process)]} if process.keeps_files else {})}


def _shared() -> dict[str, Any]:
    return {
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "50m"}},
    }


def _load_services(inside: Topology) -> dict[str, Any]:
    """Return Locust's master and worker, which are started when their profile is asked for.

    They have no budget: a load generator that is held back measures itself. They have none of the
    labels either by which the containers of a stack are found.
    """
    design = inside.design
    shared = {
        "image": parts.variable(parts.LOAD_IMAGE_VARIABLE, parts.LOAD_IMAGE),
        "build": _build("load"),
        "profiles": ["load"],
        # Who owns the records on this machine.
        "user": parts.variable(USER_VARIABLE, parts.USER_ID),
        "volumes": [f"../results:{load.RESULTS}"],
        "restart": "no",
        **_confined(),
    }
    master = {
        "command": load.master_arguments(),
        "environment": load.master_environment(inside),
        # Where Prometheus looks for it.
        "networks": {PROJECT: {"aliases": [load.LOAD_NAME]}},
        "ports": [f"127.0.0.1:{load.published_web_port(design)}:{load.WEB_PORT}"],
    }
    worker = {
        "command": load.worker_arguments(design),
        "environment": load.environment(inside),
        "networks": [PROJECT],
    }
    return {
        load.master(design): {**shared, **master},
        load.worker(design): {**shared, **worker},
    }
