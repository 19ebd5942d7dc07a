"""``testbed compare`` from start to end, and when somebody stops it."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.stacks import ROOT, TOPOLOGIES
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

TINY = ("--rounds", "1", "--users", "4", "--duration", "3", "--warmup", "1", "--faults", "none")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A project root of its own for state and results; nothing that it started survives."""
    _require_default_ports()
    for name in ("experiments", "locustfiles", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    left = _processes_of(tmp_path)
    for process in left:
        process.kill()
    assert left == [], "processes were left"


def _require_default_ports() -> None:
    """The comparison starts its stacks on the ports that the designs name."""
    for topology in TOPOLOGIES.values():
        for spec in topology.processes:
            for port in (spec.port, spec.metrics_port):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", port))
                    except OSError:
                        complain = pytest.fail if os.environ.get("CI") else pytest.skip
                        complain(f"port {port} is taken: is a stack up?")


def _start(home: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "testbed", "compare", *options],
        cwd=ROOT,
        env={**os.environ, "TESTBED_HOME": str(home), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes that belong to a stack or a comparison of this project root."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        mine = environment.get("TESTBED_HOME") == str(home)
        marked = environment.get("TESTBED_STACK", "").startswith(f"{home}:")
        if (mine or marked) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def test_a_tiny_comparison_prints_both_designs_and_writes_its_files(home: Path) -> None:
    process = _start(home, *TINY)
    output, _ = process.communicate(timeout=180)

    assert process.returncode == 0, output
    for expected in ("SubmitJob", "GetJobStatus", "GetJobResult", "CancelJob", "ListJobs", "ratio"):
        assert expected.lower() in output.lower(), output
    (folder,) = (home / "results" / "compare").iterdir()
    assert (home / "results" / "latest").resolve() == folder.resolve()
    assert str(folder) in output.replace("\n", "")
    comparison = json.loads((folder / "comparison.json").read_text())
    assert comparison
    for name in ("comparison.csv", "trials.csv"):
        with (folder / name).open(newline="") as file:
            assert list(csv.DictReader(file)), name
    assert any("commit" in path.read_text() for path in folder.glob("*.json")), "provenance"
    assert _processes_of(home) == []


def test_an_interrupted_comparison_keeps_what_there_is_and_leaves_nothing(home: Path) -> None:
    process = _start(home, "--rounds", "2", "--users", "4", "--duration", "60", "--warmup", "1")
    eventually(
        lambda: any("--headless" in _command(each) for each in _processes_of(home)),
        within=60,
        what="the load",
    )

    os.killpg(process.pid, signal.SIGINT)

    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert "Traceback" not in output, output
    assert list((home / "results" / "compare").iterdir())
    assert _processes_of(home) == []


def test_a_comparison_interrupted_while_a_stack_starts_leaves_nothing(home: Path) -> None:
    process = _start(home, *TINY)
    eventually(
        lambda: any("design_" in _command(each) for each in _processes_of(home)),
        within=60,
        what="the first process of a stack",
    )

    process.send_signal(signal.SIGINT)

    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert "Traceback" not in output, output
    assert _processes_of(home) == []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
