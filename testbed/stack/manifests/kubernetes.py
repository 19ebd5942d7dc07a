"""A design's topology as Kubernetes objects, which `compose/kubernetes/<design>` puts together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.process_spec import COMMAND, HTTP, METRICS_PATH, STOP_SIGNAL, TCP
from common.stack_spec import StackSpec
from common.topology import ProcessSpec, Topology
from testbed.stack import designs, prepare
from testbed.stack.manifests import load, parts
from testbed.stack.manifests.parts import NAME_VARIABLE, Service
from testbed.stack.records import ProcessBudget

_HEADER = """\
# Design {design}, {title}, as Kubernetes objects; kustomization.yaml beside it names the
# namespace and the images.
#
{secret}# Written by `make generate` from {source}: change it there. Other slots, workers
# and budgets: `testbed manifest {design} --format kubernetes --workers 3`.
"""
_BEFORE = """\
# Its pods wait for a secret, by which they know each other:
#
#   openssl rand -hex 16 | kubectl -n taskqueue-{design} create secret generic stack \\
#       --from-file=stack=/dev/stdin
#
"""
_PROCESS_LABEL = "app.kubernetes.io/name"
# Names of the configuration that the load of every design reads, see base/load.yaml.
LOAD_CONFIGURATION = "load"
# A process is to serve within so many seconds of its start.
_START_SECONDS = 120
_OWN_USER = {
    "runAsNonRoot": True,
    "runAsUser": parts.USER_ID,
    "runAsGroup": parts.USER_ID,
}
_CONFINED = {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def path(design: str) -> str:
    """Return where the objects of a design lie, from the root of the project."""
    return f"compose/kubernetes/{design}/stack.yaml"


def render(topology: Topology, spec: StackSpec) -> str:
    """Return the objects of a stack, one YAML document each.

    Raises :class:`TestbedError` for settings that are impossible and slots that cannot be shared.
    """
    secret = _BEFORE.format(design=topology.design) if parts.has_ours(topology) else ""
    header = _HEADER.format(
        design=topology.design,
        title=topology.title,
        source=designs.source(topology.design),
        secret=secret,
    )
    return parts.written(header, *documents(topology, spec))


def documents(topology: Topology, spec: StackSpec) -> list[dict[str, Any]]:
    """Return the objects; see :func:`render`."""
    budget = parts.budget_of_each(prepare.scaled(topology, spec), spec)
    found = []
    for each in parts.services(topology, spec):
        found += [_service(each.process), _stateful_set(each, budget)]
    return [*found, _load_configuration(topology)]


def _service(process: ProcessSpec) -> dict[str, Any]:
    """Return the name of a process: one that leads to its pod itself, ready or not.

    A virtual address would add translations to every hop, of which Design A has more than B. That a
    process does not answer is for its callers to find out, as everywhere else.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": process.name, "labels": _labels(process)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": _labels(process),
            **_listed("ports", [_service_port(*each) for each in process.every_port().items()]),
        },
    }


def _service_port(use: str, port: int) -> dict[str, Any]:
    named = {"name": use.lower(), "port": port}
    return {**named, "appProtocol": "kubernetes.io/h2c"} if use == "gRPC" else named


def _stateful_set(service: Service, budget: ProcessBudget) -> dict[str, Any]:
    """Return the set that runs a service: never more pods of one number than one."""
    labels = _labels(service.process)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": service.name, "labels": labels},
        "spec": {
            "serviceName": service.name,
            "replicas": service.count,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, **_annotations(service.process)},
                "spec": {
                    "automountServiceAccountToken": False,
                    # Else each Service is a set of variables, some of which look like settings.
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": parts.STOP_GRACE,
                    "securityContext": {
                        **(_OWN_USER if service.process.is_ours else {}),
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(service, budget)],
                    **_listed("volumes", [volume for volume, _ in _volumes(service.process)]),
                },
            },
        },
    }


def _volumes(process: ProcessSpec) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the volumes of a process, and each as it is mounted."""
    if process.is_ours:
        return [
            (
                {"name": "tmp", "emptyDir": {"medium": "Memory"}},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            ),
            (
                {"name": parts.SECRET, "secret": {"secretName": parts.SECRET}},
                {
                    "name": parts.SECRET,
                    "mountPath": parts.SECRET_FILE,
                    "subPath": parts.SECRET,
                    "readOnly": True,
                },
            ),
        ]
    if not process.keeps_files:
        return []
    # It outlasts the container, and goes with the pod.
    return [({"name": "data", "emptyDir": {}}, {"name": "data", "mountPath": parts.data(process)})]


def _listed(key: str, items: Sequence[Any]) -> dict[str, Any]:
    return {key: list(items)} if items else {}


def _container(service: Service, budget: ProcessBudget) -> dict[str, Any]:
    process = service.process
    probe = {**_probe(process), "timeoutSeconds": 5}
    limits = {"cpu": _cpu(budget), "memory": parts.memory(budget, "Mi", "Ki")}
    ports = [
        {"name": use.lower(), "containerPort": port} for use, port in process.every_port().items()
    ]
    return {
        "name": "process",
        "image": process.image.name if process.image else parts.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        # An image of others may start what it is given by a script of its own.
        "command" if process.is_ours else "args": parts.command(process),
        **_listed("env", [*_own_name(service), *_variables(service)]),
        **_listed("ports", ports),
        # Requested and limited alike: nobody else gets what is idle, as in the other runtimes.
        "resources": {"requests": limits, "limits": limits},
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": _START_SECONDS // 2},
        # None of liveness: it would end what is merely overloaded.
        "readinessProbe": {**probe, "periodSeconds": 10},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            **(_CONFINED if process.is_ours else {}),
        },
        **_lifecycle(process),
        **_listed("volumeMounts", [mounted for _, mounted in _volumes(process)]),
    }


def _lifecycle(process: ProcessSpec) -> dict[str, Any]:
    """Return what asks a process to stop, where it is not the signal that follows anyway."""
    if process.stop_signal == STOP_SIGNAL:
        return {}
    asks = f"kill -s {process.stop_signal.removeprefix('SIG')} 1"
    return {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", asks]}}}}


def _probe(process: ProcessSpec) -> dict[str, Any]:
    ready = process.ready
    if ready.how == COMMAND:
        return {"exec": {"command": list(ready.command)}}
    if ready.how == HTTP:
        return {"httpGet": {"path": ready.path, "port": process.port}}
    return {"tcpSocket" if ready.how == TCP else "grpc": {"port": process.port}}


def _own_name(service: Service) -> list[dict[str, Any]]:
    """Return the name of one of several alike: that of its pod, such as ``worker-0``."""
    if NAME_VARIABLE in service.environment or not service.process.is_ours:
        return []
    return [{"name": NAME_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]


def _variables(service: Service) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in service.environment.items()]


def _cpu(budget: ProcessBudget) -> str:
    # Thousandths of a core are the finest that there is.
    return f"{round((budget.cpus or 0) * 1000)}m"


def _labels(process: ProcessSpec) -> dict[str, str]:
    return {_PROCESS_LABEL: process.name}


def _annotations(process: ProcessSpec) -> dict[str, Any]:
    if not process.metrics_port:
        return {}
    path = process.metrics_path
    return {
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(process.metrics_port),
            **({"prometheus.io/path": path} if path != METRICS_PATH else {}),
        }
    }


def _load_configuration(topology: Topology) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": LOAD_CONFIGURATION},
        "data": load.environment(topology),
    }
