"""Locust in containers: a master and scaled workers, headless and with its web UI."""

from __future__ import annotations

import csv
import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.config import SECRET_VARIABLE
from common.stack_spec import StackSpec
from testbed.stack.manifests import compose, load
from testbed.stack.runtimes import secret
from tests.containers.conftest import PROJECT
from tests.support.docker import build_images, docker
from tests.support.engine import leaving_nothing
from tests.support.ports import free_port
from tests.support.stacks import ROOT, TOPOLOGIES, health_of, shifted
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("engine")

WORKERS = 2


class Project:
    """A design's Compose file on free ports, called by hand; records go to ``results``."""

    def __init__(self, design: str, directory: Path) -> None:
        self.results = directory / "results"
        self.results.mkdir()
        self._file = directory / "compose.yaml"
        self.topology = shifted(TOPOLOGIES[design])
        text = compose.render(self.topology, StackSpec())
        self._file.write_text(text.replace("../results:", f"{self.results}:"))
        secret.make(file := directory / "private" / "secret")
        self._environment = {
            SECRET_VARIABLE: str(file),
            compose.PROJECT_VARIABLE: PROJECT,
            compose.USER_VARIABLE: f"{os.getuid()}:{os.getgid()}",
            load.WEB_PORT_VARIABLE: str(free_port()),
        }

    @property
    def web(self) -> str:
        """Where the web UI is."""
        return f"http://127.0.0.1:{self._environment[load.WEB_PORT_VARIABLE]}"

    def wait_until_serving(self) -> None:
        """Wait until every process of the design is healthy."""
        for each in self.topology.processes:
            eventually(
                lambda address=f"127.0.0.1:{each.port}": health_of(address),  # type: ignore[misc]
                until=lambda reported: reported == "SERVING",
                within=90,
                what=f"health of {each.name}",
            )

    def compose(self, *arguments: str) -> str:
        """Run ``docker compose``."""
        where = ("--project-directory", str(ROOT / "compose"), "--file", str(self._file))
        return docker("compose", *where, "--profile", "load", *arguments, env=self._environment)


@pytest.fixture
def project(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Iterator[Project]:
    build_images()
    made = Project(request.param, tmp_path)
    with leaving_nothing(PROJECT):
        try:
            yield made
        finally:
            made.compose("down")


@pytest.mark.parametrize("project", ["a"], indirect=True)
def test_headless_run_over_two_workers_records_what_all_of_them_did(project: Project) -> None:
    workers = ("--scale", f"load-worker-a={WORKERS}")
    names = [each.name for each in project.topology.processes]
    project.compose("up", "--detach", *workers, *names, "load-worker-a")
    project.wait_until_serving()
    project.compose(
        *("run", "--rm", "--use-aliases", "load-a", "locustfiles/mixed.py", "--master"),
        *("--headless", "--expect-workers", str(WORKERS), "-u", "4", "-r", "4", "-t", "4s"),
        *("--record", "results/one", "--csv", "results/run"),
    )
    with (project.results / "run_stats.csv").open(newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    assert int(rows["Aggregated"]["Failure Count"]) == 0
    record = project.results / "one"
    files = [each.read_text().split() for each in record.glob("accepted-*.txt")]
    # One of each worker, and one of the master, which submits nothing.
    assert sorted(map(bool, files)) == [False, *[True] * WORKERS]
    ids = [each for file in files for each in file]
    accepted = json.loads((record / "load.json").read_text())["accepted"]
    assert len(set(ids)) == len(ids) == accepted == int(rows["SubmitJob"]["Request Count"])


@pytest.mark.parametrize("project", ["b"], indirect=True)
def test_web_ui_drives_every_node_of_design_b(project: Project) -> None:
    project.compose("up", "--detach", "--scale", f"load-worker-b={WORKERS}")
    project.wait_until_serving()
    eventually(
        lambda: len(_stats(project.web).get("workers", [])),
        until=lambda count: count == WORKERS,
        within=60,
        what="both workers at the master",
    )
    form = {"user_count": "12", "spawn_rate": "12", "host": load.target(project.topology)}
    assert json.loads(_read(f"{project.web}/swarm", form))["success"]
    eventually(
        lambda: {each["name"]: each for each in _stats(project.web)["stats"]},
        until=lambda rows: rows.get("ListJobs", {}).get("num_requests", 0) > 5,
        within=60,
        what="calls of every kind",
    )
    total = _stats(project.web)["stats"][-1]
    assert (total["name"], total["num_failures"]) == ("Aggregated", 0)


def _stats(web: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_read(f"{web}/stats/requests"))
    except OSError:
        return {}
    return found


def _read(url: str, form: dict[str, str] | None = None) -> str:
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data, timeout=10) as answer:
        return str(answer.read().decode())
