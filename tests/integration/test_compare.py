"""``testbed compare`` from start to end, and when somebody stops it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.homes import processes_of
from tests.support.stacks import ROOT
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

TINY = ("--rounds", "1", "--users", "4", "--duration", "3", "--warmup", "1", "--faults", "none")


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
    assert processes_of(home) == []


def test_an_interrupted_comparison_keeps_what_there_is_and_leaves_nothing(home: Path) -> None:
    process = _start(home, "--rounds", "2", "--users", "4", "--duration", "60", "--warmup", "1")
    eventually(
        lambda: any("--headless" in _command(each) for each in processes_of(home)),
        within=60,
        what="the load",
    )

    os.killpg(process.pid, signal.SIGINT)

    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert "Traceback" not in output, output
    assert list((home / "results" / "compare").iterdir())
    assert processes_of(home) == []


def test_a_comparison_interrupted_while_a_stack_starts_leaves_nothing(home: Path) -> None:
    process = _start(home, *TINY)
    eventually(
        lambda: any("design_" in _command(each) for each in processes_of(home)),
        within=60,
        what="the first process of a stack",
    )

    process.send_signal(signal.SIGINT)

    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert "Traceback" not in output, output
    assert processes_of(home) == []


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
