"""Two revisions of this project, started one after the other: each runs its own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from design_b.topology import TOPOLOGY
from testbed.drive.scraper import read_page
from tests.support import jobs
from tests.support.client import DONE, Client
from tests.support.homes import processes_of
from tests.support.repositories import Repository, copy_of_this_project
from tests.support.stacks import shifted

pytestmark = [pytest.mark.needs("git"), pytest.mark.slow]

# A default of a setting, which every process shows, and what a kind of job gives that runs in a
# process of its own.
DEFAULT, OTHER_DEFAULT = "_setting(4096, ", "_setting(4097, "
OUTPUT, OTHER_OUTPUT = '{"milliseconds": params.milliseconds}', '{"changed": True}'


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """This project in two commits, on ports of its own."""
    found = copy_of_this_project(tmp_path / "project")
    moved = shifted(TOPOLOGY)
    ports = {each.name: (each.port, each.metrics_port) for each in moved.processes}
    topology = found.root / "design_b" / "topology.py"
    found.write("design_b/topology.py", f"{topology.read_text()}\n{_on_ports(ports)}")
    found.commit("Begin")
    _replace(found.root / "common" / "config.py", DEFAULT, OTHER_DEFAULT)
    _replace(found.root / "common" / "handlers" / "spin.py", OUTPUT, OTHER_OUTPUT)
    found.commit("Change a default and an output")
    return found


def _on_ports(ports: dict[str, tuple[int, int]]) -> str:
    return (
        "from dataclasses import replace\n"
        f"_PORTS = {ports!r}\n"
        "TOPOLOGY = replace(TOPOLOGY, processes=tuple(\n"
        "    replace(each, port=_PORTS[each.name][0], metrics_port=_PORTS[each.name][1])\n"
        "    for each in TOPOLOGY.processes\n"
        "))\n"
    )


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new))


def command(project: Repository, *arguments: str) -> str:
    """Run a command of the project's own testbed; return what it prints."""
    inherited = {name: text for name, text in os.environ.items() if "TESTBED" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "testbed", *arguments],
        cwd=project.root,
        env={
            **inherited,
            "PYTHONPATH": str(project.root),
            "TESTBED_HOME": str(project.root),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stack_of(project: Repository) -> tuple[dict[str, object], list[str]]:
    """Return the one stack that is up, and where its metrics are."""
    (found,) = json.loads(command(project, "status", "--json"))["stacks"]
    return found, [each["metrics"] for each in found["processes"]]


def output_of_a_spin(endpoints: list[str]) -> dict[str, object]:
    client = Client(endpoints)
    try:
        job = client.run(jobs.spin(1))
        assert job.state == DONE
        output: dict[str, object] = json.loads(client.result(job.job_id).output)
        return output
    finally:
        client.close()


def limits_of(metrics: list[str]) -> set[str]:
    name = 'taskqueue_setting{name="max_connections"}'
    pages = [read_page(each) for each in metrics]
    return {line.split()[-1] for page in pages for line in page.splitlines() if name in line}


def test_each_revision_runs_its_own_code_also_once_it_was_started_again(
    project: Repository,
) -> None:
    before = project.git("rev-parse", "HEAD~1")
    try:
        command(project, "up", "b@HEAD~1", "--runtime", "local")
        stack, metrics = stack_of(project)
        assert (stack["side"], stack["revision"]) == ("b@HEAD~1", before)
        assert f"b@HEAD~1, revision {before[:10]}" in command(project, "status")
        assert limits_of(metrics) == {"4096.0"}
        assert output_of_a_spin(stack["endpoints"]) == {"milliseconds": 1}

        command(project, "fault", "kill", "b", "node-0", "--for", "0.1")
        assert limits_of(metrics) == {"4096.0"}
        assert output_of_a_spin(stack["endpoints"][:1]) == {"milliseconds": 1}
        command(project, "down", "b")

        command(project, "up", "b", "--runtime", "local")
        stack, metrics = stack_of(project)
        assert (stack["side"], stack["revision"]) == ("b", "")
        assert limits_of(metrics) == {"4097.0"}
        assert output_of_a_spin(stack["endpoints"]) == {"changed": True}
    finally:
        command(project, "down")
    assert not processes_of(project.root)
