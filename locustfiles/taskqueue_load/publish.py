"""Publishes the figures of the load while Locust runs, if ``--metrics-port`` asks for it."""

from __future__ import annotations

import sys
from pathlib import Path

from locust.runners import Runner

from taskqueue_load import target
from taskqueue_load.distributed import MasterSide
from taskqueue_load.exporter import Exporter
from taskqueue_load.session import Run
from taskqueue_load.tally import Part


class Publisher:
    """The exporter of this process; without an address to serve at, nothing happens in it."""

    def __init__(self, runner: Runner | None, master: MasterSide | None) -> None:
        self._runner = runner
        self._master = master
        self._exporter: Exporter | None = None
        self._file: Path | None = None

    def open(self, address: tuple[str, int] | None) -> None:
        """Serve there, and have a local Prometheus find it. Exits the process if it cannot."""
        if address is None:
            return
        self._exporter = Exporter(self._users, self._processes)
        try:
            self._exporter.serve(*address)
        except OSError as error:
            sys.exit(f"locust: error: --metrics-port: {error}")
        self._file = target.announce(*address)

    def begin(self, run: Run, host: str) -> None:
        """A test begins."""
        if self._exporter is not None:
            design = run.options.design or target.design_of(run.endpoints)
            self._exporter.begin(design, host, run.load)

    def add(self, part: Part) -> None:
        """A process has counted something."""
        if self._exporter is not None:
            self._exporter.add(part)

    def end(self) -> None:
        """The test is over."""
        if self._exporter is not None:
            self._exporter.end()

    def close(self) -> None:
        """Locust ends: nobody need look for it."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _users(self) -> int:
        return self._runner.user_count if self._runner is not None else 0

    def _processes(self) -> int:
        return 1 if self._master is None else len(self._master.workers())
