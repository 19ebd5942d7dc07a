"""One side of a fault run: stack up, drive and break it, look up every job, stack down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from testbed.drive import fairness
from testbed.drive.figures.validity import length_problems
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import LoadProcess, Locust
from testbed.drive.ports import Progress, TrialFailed
from testbed.drive.sampler import Sampler
from testbed.drive.scraper import Scraper
from testbed.drive.stacks import RuntimeStacks
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.history.writer import HistoryWriter
from testbed.record.load import read_load
from testbed.record.model import COMPLETE, FAILED, GENERATOR, INTERRUPTED, STACK, TrialHeader
from testbed.runs.faults.breaking import Breaking
from testbed.runs.faults.lookup import CLIENT, lookup
from testbed.runs.faults.plan import FaultPlan
from testbed.stack import designs
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import Runtime
from testbed.stack.runtimes.local.meter import ProcessMeter

LOCUSTFILE = Path("locustfiles", "checked.py")
FAULTS = "faults.json"
# Who writes the history of the faults; the audit has its own.
BROKE = "faults"
UP, DRIVE, LOOKUP, DOWN = "starting the stack", "breaking", "looking up every job", "stopping"
# Locust ends the calls in flight, then writes what it has recorded.
END_SECONDS = 60.0
# How long Locust may take from its start to its first users.
START_SECONDS = 60.0


@dataclass(frozen=True)
class Tools:
    """What a side is run with. ``home`` is the project, whose locustfiles are the load."""

    runtime: Runtime
    stacks: RuntimeStacks
    progress: Progress
    interrupts: Interrupts
    home: Path


class Side:
    """Runs one design of a fault plan into a folder of its own."""

    def __init__(
        self, plan: FaultPlan, number: int, design: str, folder: Path, tools: Tools
    ) -> None:
        self._plan = plan
        self._design = design
        self._folder = folder
        self._tools = tools
        topology = designs.load(design)
        self._schedule = plan.schedule(topology.scaled(plan.workers))
        self._spec = plan.spec(self._schedule)
        self._topology = self._spec.scaled(topology)
        self._phases: dict[str, float] = {}
        self._lost_state = False
        self._header = TrialHeader(
            number=number,
            block=1,
            position=number,
            side=number - 1,
            design=design,
            status=INTERRUPTED,
            error="did not run to its end",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            plan_cell={},
            attempt=1,
        )

    def run(self) -> TrialHeader:
        """Run it and return how it ended, as it is also on disk.

        A failure is recorded in the header, not raised; :class:`Interrupted` and a full disk are,
        once the stack is down.
        """
        self._folder.mkdir(parents=True)
        try:
            self._whole()
            self._header = replace(self._header, status=COMPLETE, error="")
        except TestbedError as error:
            self._header = replace(self._header, status=FAILED, error=error.in_one_line)
        except OSError as error:
            self._header = replace(self._header, status=FAILED, error=str(error))
            raise
        except Interrupted:
            self._header = replace(self._header, error="stopped by the user")
            raise
        finally:
            files.write_header(self._folder, replace(self._header, phases=self._phases))
        return self._header

    def _whole(self) -> None:
        try:
            with self._phase(UP):
                stack = self._tools.stacks.up(self._design, self._spec)
                said = fairness.ask(stack)
            self._header = replace(
                self._header,
                runtime=stack.runtime,
                endpoints=stack.endpoints,
                processes=tuple(each.name for each in stack.processes),
                scraped=tuple(stack.metrics),
                settings=dict(stack.settings),
                fairness=said.as_data(),
            )
            with self._phase(DRIVE, self._plan.drive_seconds(len(self._schedule))):
                self._drive_and_break(stack)
            with self._phase(LOOKUP):
                self._look_up(stack)
        finally:
            # A signal is raised once only, so what one cut short further in is made up for here.
            with self._tools.interrupts.shield(), self._phase(DOWN):
                self._tools.stacks.down(self._design)

    def _drive_and_break(self, stack: StackRecord) -> None:
        """Break the stack while it is driven, from the first second of the drive to its last.

        Raises :class:`TrialFailed` if the load did not last as long.
        """
        with (
            Sampler(self._folder) as sampler,
            Scraper(self._folder, stack.metrics),
            self._load(stack) as load,
        ):
            sampler.watch(STACK, self._tools.stacks.meter(stack))
            sampler.watch(GENERATOR, ProcessMeter.of_pids({"locust": load.pid}))
            load.wait_until_driving(START_SECONDS)
            begun = time.time()
            self._break(stack, load)
            asked = time.time() - begun
            with self._tools.interrupts.shield():
                load.finish(END_SECONDS)
        for problem in length_problems(replace(read_load(self._folder), asked_seconds=asked)):
            raise TrialFailed(f"{problem} of the schedule of faults")

    def _break(self, stack: StackRecord, load: LoadProcess) -> None:
        writer = self._writer(BROKE)
        breaking = Breaking(
            self._plan,
            self._topology,
            self._tools.runtime.controls(stack),
            writer,
            ill=lambda: self._ill(stack),
            watch=load.require_alive,
            say=self._tools.progress.detail,
        )
        try:
            breaking.run(self._schedule)
        finally:
            writer.close()
            self._lost_state = any(each.lost_state for each in breaking.done)
            files.write_json(
                self._folder / FAULTS,
                {"schedule": [each.as_data() for each in breaking.done]},
            )

    @contextmanager
    def _load(self, stack: StackRecord) -> Iterator[LoadProcess]:
        """Start the load generator and stop it; signals wait while it starts and stops."""
        shield = self._tools.interrupts.shield
        command = Locust(self._tools.home / LOCUSTFILE, self._plan.traffic).endless(
            stack, self._folder
        )
        process: LoadProcess | None = None
        try:
            with shield():
                process = LoadProcess(command, self._folder)
            yield process
        finally:
            with shield():
                if process is not None:
                    process.stop()

    def _look_up(self, stack: StackRecord) -> None:
        accepted = files.read_accepted(self._folder)
        writer = self._writer(CLIENT)
        try:
            found = lookup(stack.endpoints, accepted, self._plan.audit, writer, self._count)
        finally:
            writer.close()
        files.write_jobs(self._folder, found.jobs)
        # Which jobs may be left where memory was lost is for the checker to say.
        if problem := found.unlisted if self._lost_state else found.problem:
            raise TestbedError(problem)

    def _count(self, done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            self._tools.progress.detail(f"{done:,} of {total:,} jobs looked up")

    def _ill(self, stack: StackRecord) -> tuple[str, ...]:
        """Name the processes that do not serve."""
        # The record of the start has the processes of then; those of now are on disk.
        found = self._tools.runtime.status(self._tools.stacks.now(stack.design))
        return tuple(each.record.name for each in found if not each.healthy)

    def _writer(self, who: str) -> HistoryWriter:
        return HistoryWriter(self._folder / f"history-{who}.jsonl", self._design)

    @contextmanager
    def _phase(self, name: str, seconds: float | None = None) -> Iterator[None]:
        self._tools.progress.phase(name, seconds)
        start = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = round(time.monotonic() - start, 3)
