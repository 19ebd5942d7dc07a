"""One trial: stack up, drive, audit, stack down, whatever happens in between.

Every run drives its stacks with this engine. What is driven and how its jobs are looked up is a
:class:`Workload`: a load of fixed duration (:mod:`testbed.drive.timed`), one that goes on while
faults are injected, or the client of a bench. What is driven need not be a stack that is fresh, nor
one of a design: :class:`~testbed.drive.ports.Stacks` brings it up.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from testbed.drive import budgets, statements
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import LoadProcess
from testbed.drive.ports import Progress, Stacks, TrialFailed
from testbed.drive.sampler import Sampler
from testbed.drive.scraper import INTERVAL, Scraper
from testbed.drive.servers import ServerWatch
from testbed.drive.statements import Statement, Unfair
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.model import (
    COMPLETE,
    FAILED,
    GENERATOR,
    INTERRUPTED,
    STACK,
    JobRow,
    TrialHeader,
)
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter
from testbed.stack.sides.resolve import Deployment

UP, DRIVE, AUDIT, DOWN = "starting the stack", "driving", "looking up every job", "stopping"
Level = int | float | str


class StackExited(TrialFailed):
    """Processes of the stack ended while it was driven; the message names them."""


@dataclass(frozen=True)
class TrialSpec:
    """Which trial of a run this is, and what is started for it.

    ``number``, ``block``, ``position`` and ``attempt`` count from 1, ``side`` from 0; ``levels``
    has the level of each factor of the plan.
    """

    number: int
    deployment: Deployment
    block: int = 1
    position: int = 1
    side: int = 0
    levels: Mapping[str, Level] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True)
class Audited:
    """What an audit found: a row for each job, and why the trial cannot be used, if it cannot."""

    jobs: tuple[JobRow, ...]
    problem: str = ""


@dataclass(frozen=True)
class Drive:
    """A load that runs against a stack, as a :class:`Workload` sees it."""

    stack: StackRecord
    folder: Path
    load: LoadProcess
    sampler: Sampler
    progress: Progress
    interrupts: Interrupts

    def require_stack(self) -> None:
        """Raise :class:`StackExited` if a process of the stack has ended."""
        exited = self.sampler.exited(STACK)
        if exited:
            raise StackExited(_exited(self.stack, exited))


class Workload(Protocol):
    """What a trial drives, and how its jobs are looked up afterwards."""

    @property
    def seconds(self) -> float:
        """Seconds that the drive is expected to take."""

    @property
    def generator(self) -> str:
        """Name of the load generator, of which its log and the samples of its CPU are."""

    def command(self, stack: StackRecord, folder: Path) -> Sequence[str]:
        """Return the command of the load generator, which records into ``folder``."""

    def drive(self, drive: Drive) -> None:
        """Return once the load has ended. Raises :class:`TrialFailed` if it fails."""

    def audit(
        self, stack: StackRecord, folder: Path, on_progress: Callable[[str], None]
    ) -> Audited:
        """Look up every job that was accepted, and those that nobody was promised."""


@dataclass(frozen=True)
class Tools:
    """What a trial is run with; ``ask`` asks a stack what it runs with.

    Metrics are scraped every ``scrape_interval`` seconds, as :class:`Scraper` takes them. Databases
    of the stack are asked once a second how they are if it ``watches_servers``.
    """

    stacks: Stacks
    progress: Progress
    interrupts: Interrupts
    ask: Callable[[StackRecord], Statement] = statements.ask
    scrape_interval: float = INTERVAL
    watches_servers: bool = False


class Trial:
    """Runs one trial into a folder of its own."""

    def __init__(
        self,
        spec: TrialSpec,
        workload: Workload,
        folder: Path,
        tools: Tools,
        on_statement: Callable[[Statement], None] = lambda _statement: None,
    ) -> None:
        """``on_statement`` gets what the stack says it runs with, and may raise ``Unfair``."""
        self._spec = spec
        self._workload = workload
        self._folder = folder
        self._tools = tools
        self._on_statement = on_statement
        self._phases: dict[str, float] = {}
        self._process: LoadProcess | None = None
        self._failure: Exception | None = None
        self._header = TrialHeader(
            number=spec.number,
            block=spec.block,
            position=spec.position,
            side=spec.side,
            design=spec.deployment.design,
            status=INTERRUPTED,
            error="did not run to its end",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            plan_cell=dict(spec.levels),
            attempt=spec.attempt,
            declared=dict(spec.deployment.declared),
        )

    @property
    def failure(self) -> Exception | None:
        """Why the trial failed, ``None`` if it did not."""
        return self._failure

    def run(self) -> TrialHeader:
        """Run it and return how it ended, as it is also on disk.

        A failure is recorded in the header and kept as :attr:`failure`, not raised. What ends the
        whole run is raised again once the stack is down and the header written:
        :class:`Interrupted`, a full disk as ``OSError``, and :class:`Unfair`.
        """
        self._folder.mkdir(parents=True)
        try:
            self._up_drive_audit()
            self._header = replace(self._header, status=COMPLETE, error="")
        except (TestbedError, OSError) as error:
            self._failure = error
            self._header = replace(self._header, status=FAILED, error=_described(error))
            if isinstance(error, Unfair) or getattr(error, "errno", None) == errno.ENOSPC:
                raise
        except Interrupted:
            self._header = replace(self._header, error="stopped by the user")
            raise
        finally:
            files.write_header(self._folder, replace(self._header, phases=self._phases))
        return self._header

    def _up_drive_audit(self) -> None:
        try:
            with self._phase(UP):
                stack = self._tools.stacks.up(self._spec.deployment)
                statement = self._tools.ask(stack)
            self._header = replace(
                self._header,
                runtime=stack.runtime,
                endpoints=stack.endpoints,
                processes=tuple(each.name for each in stack.processes),
                scraped=tuple(stack.metrics),
                settings=dict(stack.settings),
                fairness=statement.as_data(),
                budget=budgets.as_data(statement.budgets),
            )
            self._on_statement(statement)
            with self._phase(DRIVE, self._workload.seconds):
                self._drive(stack)
            with self._phase(AUDIT):
                self._audit(stack)
        finally:
            # A signal is raised once only, so what one cut short further in is made up for here.
            with self._tools.interrupts.shield(), self._phase(DOWN):
                if self._process is not None:
                    self._process.stop()
                self._tools.stacks.down(self._spec.deployment.design)

    def _drive(self, stack: StackRecord) -> None:
        command = self._workload.command(stack, self._folder)
        scraper = Scraper(self._folder, stack.metrics, self._tools.scrape_interval)
        watched = stack if self._tools.watches_servers else replace(stack, processes=())
        with (
            Sampler(self._folder) as sampler,
            scraper,
            ServerWatch(self._folder, watched),
        ):
            sampler.watch(STACK, self._tools.stacks.meter(stack))
            with self._load(command) as load:
                sampler.watch(GENERATOR, ProcessMeter.of_pids({load.name: load.pid}))
                drive = Drive(
                    stack,
                    self._folder,
                    load,
                    sampler,
                    self._tools.progress,
                    self._tools.interrupts,
                )
                self._workload.drive(drive)

    def _audit(self, stack: StackRecord) -> None:
        found = self._workload.audit(stack, self._folder, self._tools.progress.detail)
        files.write_jobs(self._folder, found.jobs)
        if found.problem:
            raise TrialFailed(found.problem)

    @contextmanager
    def _load(self, command: Sequence[str]) -> Iterator[LoadProcess]:
        """Start the load generator and stop it; signals wait while it starts and stops."""
        shield = self._tools.interrupts.shield
        try:
            with shield():
                self._process = LoadProcess(command, self._folder, self._workload.generator)
            yield self._process
        finally:
            with shield():
                if self._process is not None:
                    self._process.stop()

    @contextmanager
    def _phase(self, name: str, seconds: float | None = None) -> Iterator[None]:
        self._tools.progress.phase(name, seconds)
        start = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = round(time.monotonic() - start, 3)


def _exited(stack: StackRecord, exited: Collection[str]) -> str:
    if len(exited) == len(stack.processes):
        folders = {str(Path(each.log).parent) for each in stack.processes}
        return (
            f"all {len(exited)} processes ended while they were driven: was the stack stopped from "
            f"elsewhere? Logs: {', '.join(sorted(folders))}"
        )
    logs = {each.name: each.log for each in stack.processes}
    return "ended while driven: " + ", ".join(f"{name} (log: {logs[name]})" for name in exited)


def _described(error: TestbedError | OSError) -> str:
    return error.in_one_line if isinstance(error, TestbedError) else str(error)
