"""Runs real Locust processes against a stub of the public contract."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.load.processes import (
    LOCUSTFILES,
    ROOT,
    STUB,
    TIMEOUT,
    Locust,
    StartLocust,
    StartStub,
    Stub,
)


@pytest.fixture
def start_stub() -> Iterator[StartStub]:
    """Start stub servers, with the options of ``stub_server.py``."""
    stubs: list[Stub] = []

    def start(*options: str) -> Stub:
        process = subprocess.Popen(
            [sys.executable, str(STUB), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        stub = Stub(process, json.loads(process.stdout.readline()))
        stubs.append(stub)
        return stub

    yield start
    for stub in stubs:
        stub.stop()


@pytest.fixture
def start_locust(tmp_path: Path) -> Iterator[StartLocust]:
    """Start Locust with a locustfile, options, more environment and another working directory.

    The testbed's state is looked for in an empty directory, so that no stack is found.
    """
    started: list[Locust] = []

    def start(
        locustfile: str, *options: str, env: dict[str, str] | None = None, cwd: Path = ROOT
    ) -> Locust:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOAD_", "LOCUST_"))}
        path = os.path.relpath(LOCUSTFILES / locustfile, cwd)
        log = (tmp_path / f"locust-{len(started)}.log").open("w", encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", path, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env={**clean, "TESTBED_HOME": str(home), **(env or {})},
            start_new_session=True,
        )
        started.append(Locust(process, log))
        return started[-1]

    yield start
    for locust in started:
        # Also what the leader of the group may have left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(locust.process.pid, signal.SIGKILL)
        locust.process.wait(TIMEOUT)
        locust.log.close()
