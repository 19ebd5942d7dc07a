"""``testbed calibrate`` when somebody stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.stacks import ROOT
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

STUB, LOAD = "testbed.runs.calibrate.stub", "--headless"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A project root of its own for results; nothing that it started survives."""
    for name in ("locustfiles", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    left = _processes_of(tmp_path)
    for process in left.values():
        process.kill()
    assert left == {}, "processes were left"


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "process"])
@pytest.mark.parametrize("running", [STUB, LOAD], ids=["starting", "driving"])
def test_an_interrupted_calibration_leaves_nothing(
    home: Path, running: str, whole_group: bool
) -> None:
    """A terminal signals the whole foreground group; ``kill`` the process alone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "testbed", "calibrate", "--quick"],
        cwd=ROOT,
        env={**os.environ, "TESTBED_HOME": str(home), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually(
        lambda: any(running in command for command in _processes_of(home)),
        within=60,
        what=running,
    )

    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)

    output, _ = process.communicate(timeout=90)
    assert process.returncode == 130, output
    assert "nothing is left running" in output
    assert "Traceback" not in output, output
    assert _processes_of(home) == {}


def _processes_of(home: Path) -> dict[str, psutil.Process]:
    """Return the processes with this project root, by their command line."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("TESTBED_HOME") != str(home):
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found[" ".join(process.cmdline())] = process
        except psutil.Error:
            continue
    return found
