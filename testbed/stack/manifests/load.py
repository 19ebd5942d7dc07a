"""Locust in containers: a master with the web UI and workers that it deals the users to."""

from __future__ import annotations

from common.topology import Topology
from testbed.stack import designs
from testbed.stack.manifests import parts
from testbed.stack.observability.scrape import LOAD_NAME, LOAD_PORT

__all__ = ["LOAD_NAME", "LOAD_PORT"]

LOCUSTFILE = "locustfiles/mixed.py"
WEB_PORT, WEB_PORT_VARIABLE = 8089, "TESTBED_WEB_PORT"
# Where workers reach their master.
MASTER_PORT = 5557
# Where a record goes in the container, so that `--record results/NAME` means the same everywhere.
RESULTS = "/app/results"


def master(design: str) -> str:
    """Return the name of the service of the master."""
    return f"load-{design}"


def worker(design: str) -> str:
    """Return the name of the service of the workers."""
    return f"load-worker-{design}"


def web_port(design: str) -> int:
    """Return the default port of the web UI on the machine, one for each design."""
    return WEB_PORT + designs.names().index(design)


def published_web_port(design: str) -> str:
    """Return the port of the web UI on the machine, which the environment may name."""
    return parts.variable(WEB_PORT_VARIABLE, web_port(design))


def target(topology: Topology) -> str:
    """Return what Locust drives where each process has a host of its own name."""
    return ",".join(topology.endpoints(str))


def environment(topology: Topology) -> dict[str, str]:
    """Return the environment of a worker."""
    return {"LOCUST_HOST": target(topology), "LOAD_DESIGN": topology.design}


def master_environment(topology: Topology) -> dict[str, str]:
    """Return the environment of the master, which has the figures of all workers."""
    listen = f"0.0.0.0:{LOAD_PORT}"
    return {**environment(topology), "LOAD_METRICS_PORT": listen}


def master_arguments() -> list[str]:
    """Return the arguments of the master."""
    return [LOCUSTFILE, "--master"]


def worker_arguments(design: str) -> list[str]:
    """Return the arguments of a worker. It tries for some minutes to reach its master."""
    return [LOCUSTFILE, "--worker", "--master-host", master(design)]
