"""Prometheus in a container over designs in containers, as in `compose/observability.yaml`."""

from __future__ import annotations

import json
import math
import os
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from testbed.stack.manifests.compose import PROJECT_VARIABLE
from tests.containers.conftest import PROJECT, Up
from tests.support import dashboards
from tests.support.ports import free_port
from tests.support.stacks import ROOT
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.needs("engine")]

Ask = Callable[[str], list[dict[str, Any]]]
# Panels that only containers have data for.
OF_CONTAINERS = ("CPU of the budget / A", "Throttled periods / A", "Memory of the budget / A")


@pytest.fixture
def ask(up: Up) -> Iterator[Ask]:
    """Runs Prometheus beside the stacks of a test; gives what it answers to a query."""
    port = free_port()
    environment = {**os.environ, PROJECT_VARIABLE: PROJECT, "PROMETHEUS_PORT": str(port)}

    def compose(*arguments: str) -> None:
        done = subprocess.run(
            ["docker", "compose", "--file", "compose/observability.yaml", *arguments],
            cwd=ROOT,
            env={**environment, "COMPOSE_IGNORE_ORPHANS": "1"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def answer(expr: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=30
        ) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    with ExitStack() as exits:
        exits.callback(compose, "down", "--volumes")
        compose("up", "--detach", "--wait")
        yield answer


def test_prometheus_finds_every_container_and_scaled_worker_by_itself(up: Up, ask: Ask) -> None:
    # On its own ports, for those are what Prometheus gets.
    up("a", place=None, workers=3)
    eventually(
        lambda: Counter(each["metric"]["role"] for each in ask('up{design="a"} == 1')),
        until=lambda seen: (
            seen == {"gateway": 1, "job": 1, "queue": 1, "coordinator": 1, "result": 1, "worker": 3}
        ),
        within=90,
        what="all eight processes of design A",
    )


def test_panels_of_the_budget_have_data_in_containers(up: Up, ask: Ask) -> None:
    up("b", place=None)
    overview = dict(dashboards.queries(dashboards.read()["overview"]))
    for use in OF_CONTAINERS:
        eventually(
            lambda expr=overview[use]: ask(expr),
            until=lambda found: any(math.isfinite(float(each["value"][1])) for each in found),
            within=90,
            what=use,
        )
