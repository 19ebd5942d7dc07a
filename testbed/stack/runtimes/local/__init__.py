"""Runs stacks as plain processes on this machine, all on the loopback interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import replace

from common.process_spec import ProcessSpec
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed import CHECKOUT
from testbed.errors import StateError, TestbedError
from testbed.stack import prepare
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Stopped, health
from testbed.stack.runtimes.lifecycle import StackLifecycle, Start, ended_during_start
from testbed.stack.runtimes.local import clock, needs, processes
from testbed.stack.runtimes.local.controls import LocalControls
from testbed.stack.runtimes.local.family import Census
from testbed.stack.runtimes.local.meter import ProcessMeter, StackMeter
from testbed.stack.runtimes.local.observe import observe
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.runtimes.order import waves


@dataclasses.dataclass(frozen=True)
class LocalRuntime(StackLifecycle):
    """The :class:`testbed.stack.runtimes.Runtime` of plain processes. Times are in seconds."""

    NAME = "local"
    STRAYS = "stray processes"

    start_timeout: float = 30.0
    margin: float = 3.0
    health_timeout: float = 2.0
    lock_wait: float = 10.0

    def status(self, record: StackRecord) -> list[ProcessStatus]:
        alive = {each.name: each for each in record.alive()}
        servers = {each.name: health.Server.of(each) for each in alive.values()}
        answers = health.check(servers, self.health_timeout)
        census = Census()
        return [
            observe(each, record.metrics.get(each.name, ""), answers.get(each.name, "dead"), census)
            for each in record.processes
        ]

    def save_logs(self, design: str) -> None:
        """Do nothing: the processes write their log files themselves."""

    def meter(self, record: StackRecord) -> ProcessMeter:
        return StackMeter(record)

    def controls(self, record: StackRecord) -> LocalControls:
        return LocalControls(record, self.start_timeout, self.margin, self.lock_wait)

    def _prepare(self, topology: Topology, spec: StackSpec) -> Start:
        if spec.budget is not None:
            raise TestbedError(
                "local processes cannot be held to a budget of CPU and memory",
                "leave it out, or run the stack in containers: --runtime compose",
            )
        scaled = prepare.scaled(topology, spec)
        place = prepare.Place(
            secret_file=str(stacks.secret_file(scaled.design)),
            tree=spec.source.tree if spec.source else str(CHECKOUT),
            data_of=lambda each: str(stacks.data_folder(scaled.design, each.name)),
        )
        filled = prepare.filled(scaled, spec, place)
        needs.require(scaled.design, filled)
        if spec.clock:
            clock.require(scaled)
        return lambda record, _progress: _start(record, scaled, spec, filled)

    def _announce(self, record: StackRecord) -> None:
        targets.write_stack(record)

    def _watcher(self, record: StackRecord) -> Callable[[], None]:
        def watch() -> None:
            for each in record.processes:
                if ended := processes.exit_text(each.pid):
                    raise ended_during_start(each, ended)

        return watch

    def _late_error(self, record: StackRecord, late: Sequence[str]) -> TestbedError:
        logs = {each.name: each.log for each in record.processes}
        ends = "\n".join(f"The end of {logs[each]}:\n{log_tail(logs[each])}" for each in late)
        return TestbedError(
            f"{', '.join(late)} did not serve within {self.start_timeout:g} s. {ends}",
            "everything was stopped; the logs stay until the next `up`",
        )

    def _clean(self, design: str, progress: Progress) -> Stopped:
        # First, so that a Prometheus does not miss the processes that it is to read.
        targets.remove_stack(design)
        notice = ""
        try:
            record = stacks.load(design)
        except StateError as error:
            record, notice = None, str(error)
        if record and not record.ready:
            notice = "its start had not been completed"
        elif record and len(dead := set(record.processes) - set(record.alive())):
            notice = f"already dead: {', '.join(sorted(each.name for each in dead))}"
        ended, killed = self._end_recorded(record, progress) if record else ([], [])
        strays = processes.lingering(processes.strays(design))
        processes.end(strays, self._grace(record))
        for each in record.processes if record and record.clock else ():
            clock.tidy(each.pid)
        stacks.forget(design)
        return Stopped(design, tuple(ended), tuple(killed), len(strays), notice)

    def _end_recorded(self, record: StackRecord, progress: Progress) -> tuple[list[str], list[str]]:
        """End the processes of a record; return the names of those that stopped and were killed."""
        ended: list[str] = []
        killed: list[str] = []
        for wave in waves(record.alive()):
            progress(f"stopping {', '.join(each.name for each in wave)}")
            found = [process for each in wave if (process := each.process())]
            for process in found:
                # What a fault has paused could not stop.
                processes.resume(process)
            asks = {each.pid: each.stop_signal for each in wave}
            late = processes.end(found, self._grace(record), asks)
            for each in wave:
                (killed if each.pid in late else ended).append(each.name)
        return ended, killed


def answers() -> bool:
    """Say that it can be had: always."""
    return True


def make() -> LocalRuntime:
    """Return the runtime with its usual limits."""
    return LocalRuntime()


def _start(
    record: StackRecord, topology: Topology, spec: StackSpec, filled: Sequence[ProcessSpec]
) -> StackRecord:
    for old in stacks.log_file(record.design, "x").parent.glob("*.log"):
        old.unlink()
    for process in filled:
        if process.keeps_files:
            stacks.data_folder(record.design, process.name).mkdir(mode=0o700, parents=True)
        has_clock = record.clock and process.is_ours
        timed = clock.environment(record.design, process.name) if has_clock else {}
        started = processes.spawn(
            record.design,
            replace(process, environment={**process.environment, **timed}),
            topology.calls(process.name),
            prepare.source_of(spec, process.name),
        )
        record = replace(record, processes=(*record.processes, started))
        stacks.save(record)
    return record
