"""One trial: stack up, drive, audit, stack down, whatever happens in between."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from testbed.drive import audit as auditing
from testbed.drive import budgets, fairness, live
from testbed.drive.fairness import Statement, Unfair
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import END_GRACE, LoadProcess, run_seconds
from testbed.drive.ports import LoadCommand, Progress, Stacks, TrialFailed
from testbed.drive.sampler import Sampler
from testbed.drive.scraper import Scraper
from testbed.drive.traffic import Traffic
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
from testbed.runs.compare.schedule import TrialPlan
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.local.meter import ProcessMeter

Auditor = Callable[
    [Sequence[str], Sequence[str], float, Callable[[int, int], None]], tuple[JobRow, ...]
]
UP, DRIVE, AUDIT, DOWN = "starting the stack", "driving", "looking up every job", "stopping"


@dataclass(frozen=True)
class Tools:
    """What a trial is run with.

    ``load`` makes the command for a traffic, ``ask`` asks a stack what it runs with.
    """

    stacks: Stacks
    load: Callable[[Traffic], LoadCommand]
    progress: Progress
    interrupts: Interrupts
    audit: Auditor = auditing.audit
    ask: Callable[[StackRecord], Statement] = fairness.ask


class Trial:
    """Runs one trial into a folder of its own."""

    def __init__(
        self,
        which: TrialPlan,
        folder: Path,
        tools: Tools,
        audit_seconds: float,
        hear: Callable[[Statement], None] = lambda _said: None,
        attempt: int = 1,
    ) -> None:
        """``hear`` is told what the stack says it runs with, and may raise ``Unfair``."""
        self._which = which
        self._folder = folder
        self._tools = tools
        self._audit_seconds = audit_seconds
        self._hear = hear
        self._phases: dict[str, float] = {}
        self._process: LoadProcess | None = None
        self._header = TrialHeader(
            number=which.number,
            block=which.block,
            position=which.position,
            side=which.side,
            design=which.design,
            status=INTERRUPTED,
            error="did not run to its end",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            plan_cell=dict(which.cell.factors),
            attempt=attempt,
        )

    def run(self) -> TrialHeader:
        """Run it and return how it ended, as it is also on disk.

        A failure is recorded in the header, not raised. What ends the whole experiment is raised
        again once the stack is down and the header written: :class:`Interrupted`, a full disk as
        ``OSError``, and :class:`Unfair`.
        """
        self._folder.mkdir(parents=True)
        try:
            self._up_drive_audit()
            self._header = replace(self._header, status=COMPLETE, error="")
        except Unfair as error:
            self._header = replace(self._header, status=FAILED, error=str(error))
            raise
        except TestbedError as error:
            self._header = replace(self._header, status=FAILED, error=_told(error))
        except OSError as error:
            self._header = replace(self._header, status=FAILED, error=str(error))
            if error.errno == errno.ENOSPC:
                raise
        except Interrupted:
            self._header = replace(self._header, error="stopped by the user")
            raise
        finally:
            files.write_header(self._folder, replace(self._header, phases=self._phases))
        return self._header

    def _up_drive_audit(self) -> None:
        traffic = self._which.traffic
        try:
            with self._phase(UP):
                stack = self._tools.stacks.up(self._which.design, self._which.cell.spec)
                said = self._tools.ask(stack)
            self._header = replace(
                self._header,
                runtime=stack.runtime,
                endpoints=stack.endpoints,
                processes=tuple(each.name for each in stack.processes),
                scraped=tuple(stack.metrics),
                settings=dict(stack.settings),
                fairness=said.as_data(),
                budget=budgets.as_data(said.budgets),
            )
            self._hear(said)
            with self._phase(DRIVE, run_seconds(traffic) + 2):
                self._drive(stack)
            with self._phase(AUDIT):
                self._audit(stack)
        finally:
            # A signal is raised once only, so what one cut short further in is made up for here.
            with self._tools.interrupts.shield(), self._phase(DOWN):
                if self._process is not None:
                    self._process.stop()
                self._tools.stacks.down(self._which.design)

    def _drive(self, stack: StackRecord) -> None:
        traffic = self._which.traffic
        command = self._tools.load(traffic)(stack, self._folder)
        with Sampler(self._folder) as sampler, Scraper(self._folder, stack.metrics):
            sampler.watch(STACK, self._tools.stacks.meter(stack))
            with self._load(command) as load:
                sampler.watch(GENERATOR, ProcessMeter.of_pids({"locust": load.pid}))
                load.wait(
                    run_seconds(traffic) + END_GRACE,
                    watch=lambda: self._watch(stack, sampler),
                )
        _require_alive(stack, sampler.gone(STACK))

    def _watch(self, stack: StackRecord, sampler: Sampler) -> None:
        _require_alive(stack, sampler.gone(STACK))
        if said := live.figures(self._folder):
            self._tools.progress.detail(said)

    @contextmanager
    def _load(self, command: Sequence[str]) -> Iterator[LoadProcess]:
        """Start the load generator and stop it; signals wait while it starts and stops."""
        shield = self._tools.interrupts.shield
        try:
            with shield():
                self._process = LoadProcess(command, self._folder)
            yield self._process
        finally:
            with shield():
                if self._process is not None:
                    self._process.stop()

    def _audit(self, stack: StackRecord) -> None:
        accepted = files.read_accepted(self._folder)
        tell = self._tools.progress.detail
        jobs = self._tools.audit(
            stack.endpoints,
            accepted,
            self._audit_seconds,
            lambda done, total: tell(f"{done:,} of {total:,} jobs terminal"),
        )
        files.write_jobs(self._folder, jobs)

    @contextmanager
    def _phase(self, name: str, seconds: float | None = None) -> Iterator[None]:
        self._tools.progress.phase(name, seconds)
        start = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = round(time.monotonic() - start, 3)


def _require_alive(stack: StackRecord, gone: Collection[str]) -> None:
    if not gone:
        return
    if len(gone) == len(stack.processes):
        folders = {str(Path(each.log).parent) for each in stack.processes}
        raise TrialFailed(
            f"all {len(gone)} processes ended while they were driven: was the stack stopped from "
            f"elsewhere? Logs: {', '.join(sorted(folders))}"
        )
    logs = {each.name: each.log for each in stack.processes}
    raise TrialFailed(
        "ended while driven: " + ", ".join(f"{name} (log: {logs[name]})" for name in gone)
    )


def _told(error: TestbedError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
