"""What some tests need beside the Python environment, in one place.

A test has the mark ``@pytest.mark.needs("engine")``. ``make test`` leaves all of these out, so that
it passes on a machine with nothing but Python and make; ``make test-all`` runs what the machine has
and skips the rest with the reason. Where ``TESTBED_REQUIRE_ALL`` is set, as in CI, what is missing
is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import pytest

from testbed.errors import TestbedError
from testbed.stack import environment
from testbed.stack.runtimes.compose import engine
from testbed.stack.runtimes.local import clock

MARKER = "needs"
REQUIRE_ALL = "TESTBED_REQUIRE_ALL"
# Excuses the engine alone, for a machine on which it is not to be used.
NO_ENGINE = "TESTBED_NO_ENGINE"
PROMETHEUS_IMAGE = "prom/prometheus:v2.53.3"
KUSTOMIZE = {"kustomize": ("build",), "kubectl": ("kustomize",)}


def lacks(reason: str) -> NoReturn:
    """Skip the test for something that the machine has not; fail it where all is required."""
    complain = pytest.fail if os.environ.get(REQUIRE_ALL) else pytest.skip
    complain(reason)


def check(item: pytest.Item) -> None:
    """Do so for the first need of a test that is not met."""
    for mark in item.iter_markers(MARKER):
        for name in mark.args:
            if reason := missing(name):
                lacks(reason)


@cache
def missing(name: str) -> str:
    """Return what is not there of a need; nothing if it is met. Raises ``KeyError`` for no need."""
    return NEEDS[name]()


def _engine() -> str:
    if NO_ENGINE in os.environ:
        return f"{NO_ENGINE} is set"
    return "" if engine.answers() else "no container engine with Compose answers"


def _git() -> str:
    return "" if shutil.which("git") else "git is not installed"


def _kustomize() -> str:
    found = any(map(shutil.which, KUSTOMIZE))
    return "" if found else "neither kustomize nor kubectl is installed"


def _libfaketime() -> str:
    try:
        clock.find()
    except TestbedError as error:
        return str(error)
    return ""


def _node() -> str:
    return "" if shutil.which("node") and shutil.which("npm") else "node and npm are not installed"


def _redis() -> str:
    return _programs("redis", "redis-server", "redis-cli")


def _postgres() -> str:
    return _programs("PostgreSQL", "postgres", "initdb", "pg_isready")


def _patroni() -> str:
    return _programs("Patroni with etcd", "patroni", "etcd", "psql")


def _programs(server: str, *programs: str) -> str:
    """Say that a server is not installed; stacks find programs elsewhere than on PATH too."""
    path = environment.with_programs(os.environ)["PATH"]
    missing = [each for each in programs if shutil.which(each, path=path) is None]
    return f"{server} is not installed: there is no {' and no '.join(missing)}" if missing else ""


def _prometheus() -> str:
    if has_prometheus() or _has_prometheus_image():
        return ""
    return f"neither prometheus and promtool on PATH nor the image {PROMETHEUS_IMAGE}"


def has_prometheus() -> bool:
    """Return whether Prometheus' own programs are installed."""
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def _has_prometheus_image() -> bool:
    docker = shutil.which("docker")
    if docker is None or NO_ENGINE in os.environ:
        return False
    command = [docker, "image", "inspect", PROMETHEUS_IMAGE]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


NEEDS: dict[str, Callable[[], str]] = {
    "engine": _engine,
    "git": _git,
    "kustomize": _kustomize,
    "libfaketime": _libfaketime,
    "node": _node,
    "patroni": _patroni,
    "postgres": _postgres,
    "prometheus": _prometheus,
    "redis": _redis,
}
