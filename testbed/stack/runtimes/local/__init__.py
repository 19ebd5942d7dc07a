"""Runs stacks as plain processes on this machine, all on the loopback interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from common.config import Settings
from common.topology import Topology
from testbed.errors import StateError, TestbedError
from testbed.stack import lock, ports, prepare
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Stopped, health, secret
from testbed.stack.runtimes.local import clock, processes
from testbed.stack.runtimes.local.controls import LocalControls
from testbed.stack.runtimes.local.meter import ProcessMeter, StackMeter
from testbed.stack.runtimes.local.observe import observe
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.runtimes.order import waves
from testbed.stack.spec import StackSpec


@dataclasses.dataclass(frozen=True)
class LocalRuntime:
    """The :class:`testbed.stack.runtimes.Runtime` of plain processes. Times are in seconds.

    A process has its own ``stop_grace`` and ``margin`` on top to stop before it is killed.
    """

    start_timeout: float = 30.0
    margin: float = 3.0
    health_timeout: float = 2.0
    lock_wait: float = 10.0

    def up(self, topology: Topology, spec: StackSpec, progress: Progress) -> StackRecord:
        """Start a stack, as :meth:`testbed.stack.runtimes.Runtime.up` says."""
        if spec.budget is not None:
            raise TestbedError(
                "local processes cannot be held to a budget of CPU and memory",
                "leave it out, or run the stack in containers: --runtime compose",
            )
        topology = spec.scaled(topology)
        file = stacks.secret_file(topology.design)
        environments = prepare.environments(topology, spec, secret_file=str(file))
        if spec.clock:
            clock.find()
        with lock.held(topology.design, "up"):
            self._make_way(topology.design, progress)
            ports.require_free(prepare.port_uses(topology))
            record = prepare.blank("local", topology, spec)
            try:
                # Written before each start and after it: a killed `up` leaves a trace at all times.
                stacks.save(record)
                secret.make(file)
                record = _start(record, topology, environments)
                self._wait_until_ready(record, progress)
                record = dataclasses.replace(record, ready=True)
                stacks.save(record)
                targets.write_stack(record)
            except BaseException:
                progress("stopping what was started")
                self._clean(topology.design, progress)
                raise
            return record

    def down(self, design: str, progress: Progress) -> Stopped:
        """Stop a stack, as :meth:`testbed.stack.runtimes.Runtime.down` says."""
        with lock.held(design, "down", self.lock_wait):
            return self._clean(design, progress)

    def status(self, record: StackRecord) -> list[ProcessStatus]:
        """Look at each process, as :meth:`testbed.stack.runtimes.Runtime.status` says."""
        alive = {each.name: each for each in record.alive()}
        addresses = {each.name: f"{ports.HOST}:{each.port}" for each in alive.values()}
        answers = health.check(addresses, self.health_timeout)
        return [
            observe(each, record.metrics[each.name], answers.get(each.name, "dead"))
            for each in record.processes
        ]

    def save_logs(self, design: str) -> None:
        """Do nothing: the processes write their log files themselves."""

    def meter(self, record: StackRecord) -> ProcessMeter:
        """Return the meter of a stack, as :meth:`testbed.stack.runtimes.Runtime.meter` says."""
        return StackMeter(record)

    def controls(self, record: StackRecord) -> LocalControls:
        """Return what injects faults, as :meth:`testbed.stack.runtimes.Runtime.controls` says."""
        return LocalControls(record, self.start_timeout, self.margin, self.lock_wait)

    def _make_way(self, design: str, progress: Progress) -> None:
        """Clean up what an earlier run left; raise :class:`TestbedError` if the stack is up."""
        try:
            record = stacks.load(design)
        except StateError:
            record = None
        if record and record.ready and (alive := record.alive()):
            dead = [each.name for each in record.processes if each not in alive]
            but = f", but without {', '.join(dead)}, which died" if dead else ""
            raise TestbedError(
                f"design {design} is already up at {', '.join(record.endpoints)}{but}",
                f"run `testbed down {design}` first for a fresh stack; "
                f"`testbed status` shows this one",
            )
        stopped = self._clean(design, progress)
        if not stopped.nothing:
            progress(f"cleaned up after an earlier run: {stopped.notice or 'stray processes'}")

    def _wait_until_ready(self, record: StackRecord, progress: Progress) -> None:
        by_name = {each.name: each for each in record.processes}
        serving: list[str] = []

        def watch() -> None:
            for each in record.processes:
                if ended := processes.exit_text(each.pid):
                    raise TestbedError(
                        f"{each.name} ended during start ({ended}). The end of {each.log}:\n"
                        f"{log_tail(each.log)}",
                        "the rest was stopped; fix the cause, then try again",
                    )

        def ready(name: str) -> None:
            serving.append(name)
            progress(f"{name} serves ({len(serving)} of {len(by_name)})")

        addresses = {each.name: f"{ports.HOST}:{each.port}" for each in record.processes}
        if late := health.wait_until_serving(addresses, self.start_timeout, watch, ready):
            logs = "\n".join(
                f"The end of {by_name[each].log}:\n{log_tail(by_name[each].log)}" for each in late
            )
            raise TestbedError(
                f"{', '.join(late)} did not serve within {self.start_timeout:g} s. {logs}",
                "everything was stopped; the logs stay until the next `up`",
            )

    def _clean(self, design: str, progress: Progress) -> Stopped:
        """End all processes of a design and remove its state file. Holds the lock already."""
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
            late = processes.end(found, self._grace(record))
            for each in wave:
                (killed if each.pid in late else ended).append(each.name)
        return ended, killed

    def _grace(self, record: StackRecord | None) -> float:
        """Return the seconds that a process has to stop before it is killed."""
        settings = record.settings if record else {}
        return float(settings.get("stop_grace", Settings.stop_grace)) + self.margin


def answers() -> bool:
    """Say that it can be had: always."""
    return True


def make() -> LocalRuntime:
    """Return the runtime with its usual limits."""
    return LocalRuntime()


def _start(
    record: StackRecord, topology: Topology, environments: Mapping[str, Mapping[str, str]]
) -> StackRecord:
    for old in stacks.log_file(record.design, "x").parent.glob("*.log"):
        old.unlink()
    for spec in topology.processes:
        environment = dict(environments[spec.name])
        if record.clock:
            environment |= clock.environment(record.design, spec.name)
        calls = topology.calls(spec.name)
        started = processes.spawn(record.design, spec, calls, environment)
        record = dataclasses.replace(record, processes=(*record.processes, started))
        stacks.save(record)
    return record
