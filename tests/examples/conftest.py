"""Runs Locust and the servers of the examples as their READMEs say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.record.history import files
from testbed.record.history.model import History
from tests.support import needs
from tests.support.stacks import ROOT
from tests.support.waiting import eventually

EXAMPLES = ROOT / "examples"
NODE_SERVER = EXAMPLES / "node_server"
# What a busy machine may take to start a process, and to end it.
SECONDS = 90


@contextmanager
def running(log: Path, *command: str, cwd: Path = ROOT, **more: str) -> Iterator[Callable[[], str]]:
    """Run a command to the end of the block, then stop it and require that it ends well.

    Gives a function that returns its output so far.
    """
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("LOAD_", "LOCUST_", "TASKQUEUE_"))
    }
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=clean | more, stdout=output, stderr=output, text=True
        )
    try:
        yield log.read_text
        assert process.poll() is None, f"{command} ended by itself:\n{log.read_text()}"
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def drive(
    folder: Path, locustfile: str, endpoint: str, until: Callable[[str], bool], *options: str
) -> History:
    """Run Locust until the lines of its history are enough; the record is in ``folder``."""
    command = (
        *(sys.executable, "-m", "locust", "-f", locustfile, "-H", endpoint, "--headless"),
        # Traffic that is checked provokes refusals.
        *("--exit-code-on-error", "0"),
        *("-u", "10", "-r", "10", "--record", str(folder / "record")),
        *("--history", str(folder / "history"), *options),
    )
    with running(folder / "locust.log", *command) as output:
        eventually(
            # As text: reading it whole each time would take the processor from what is driven.
            lambda: "".join(file.read_text() for file in folder.glob("history/*")),
            until,
            SECONDS,
            f"enough calls; Locust wrote {output()}",
        )
    return files.read(folder / "history")


@pytest.fixture(scope="session")
def node() -> str:
    """The command of Node, once what the example's server needs is installed."""
    if not (NODE_SERVER / "node_modules").is_dir():
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=NODE_SERVER,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            needs.lacks(f"npm cannot install what the server needs: {done.stderr[-1000:]}")
    return "node"


@pytest.fixture
def node_server(node: str, tmp_path: Path) -> Iterator[str]:
    """A fresh server of the example; gives ``host:port``."""
    command = (node, "server.js", "--listen", "127.0.0.1:0", "--slots", "12")
    with running(tmp_path / "node.log", *command, cwd=NODE_SERVER) as output:
        eventually(output, lambda text: "serving on port" in text, SECONDS, "the server's port")
        yield f"127.0.0.1:{output().split()[-1]}"
