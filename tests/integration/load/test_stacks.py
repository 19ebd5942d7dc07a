"""Locust against both designs, as somebody at a terminal runs it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.domain import ids
from common.stack_spec import StackSpec
from testbed.stack import records as stacks
from testbed.stack import runtimes
from tests.support.client import TERMINAL, Client
from tests.support.stacks import ROOT, SLOTS, TOPOLOGIES, shifted

pytestmark = pytest.mark.slow

METHODS = {"SubmitJob", "GetJobStatus", "GetJobResult", "CancelJob", "ListJobs"}
# So long that a cancel often comes before the end.
JOBS = ("--kind", "sleep", "--job-ms", "300")
RUN = ("--headless", "--users", "6", "--spawn-rate", "6", "--run-time", "5s", "--only-summary")
StackUp = Callable[[str], stacks.StackRecord]


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackUp]:
    """Brings stacks up where the locustfiles look for them; they are stopped afterwards."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    runtime = runtimes.get()
    yield lambda design: runtime.up(shifted(TOPOLOGIES[design]), StackSpec(SLOTS), runtimes.silent)
    for design in TOPOLOGIES:
        runtime.down(design, runtimes.silent)


@pytest.mark.parametrize("design", ["a", "b"])
@pytest.mark.parametrize("processes", [1, 2])
def test_locust_finds_the_stack_and_drives_all_five_methods_without_failures(
    up: StackUp, tmp_path: Path, design: str, processes: int
) -> None:
    record = up(design)

    several = ("--processes", str(processes)) if processes > 1 else ()
    done = _locust(tmp_path, *JOBS, *several)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = _rows(tmp_path / "run_stats.csv")
    assert rows.keys() >= METHODS
    for name in (*METHODS, "Aggregated"):
        assert int(rows[name]["Request Count"]) > 0, name
        assert int(rows[name]["Failure Count"]) == 0, name
    assert _rows(tmp_path / "run_failures.csv") == {}
    assert _rows(tmp_path / "run_exceptions.csv") == {}
    assert (tmp_path / "run_stats_history.csv").exists()
    _assert_all_endpoints_were_used(record)
    _assert_every_job_ends(record)


def test_locust_without_a_stack_says_what_to_do(tmp_path: Path) -> None:
    done = _locust(tmp_path, home=tmp_path)
    assert done.returncode != 0
    assert "no stack is up" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_locust_reports_a_server_that_is_not_there_as_failures(tmp_path: Path) -> None:
    done = _locust(tmp_path, "-H", "127.0.0.1:1", home=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = (tmp_path / "run_failures.csv").read_text()
    assert "UNAVAILABLE" in failures


def _locust(
    directory: Path, *options: str, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if "LOCUST" not in key}
    if home is not None:
        environment[stacks.HOME_VARIABLE] = str(home)
    return subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "locustfiles/mixed.py"),
            *RUN,
            *("--csv", str(directory / "run")),
            *options,
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row.get("Name", str(number)): row for number, row in enumerate(rows)}


def _assert_all_endpoints_were_used(record: stacks.StackRecord) -> None:
    """In Design B every node accepted jobs, as their ids show."""
    client = Client(record.endpoints)
    homes = {ids.parse(job.job_id).home for job in client.all_jobs()}
    client.close()
    assert len(homes) == len(record.endpoints)


def _assert_every_job_ends(record: stacks.StackRecord) -> None:
    client = Client(record.endpoints)
    jobs = client.all_jobs()
    assert len(jobs) > 10
    for job in jobs:
        assert client.wait(job.job_id).state in TERMINAL
    client.close()
