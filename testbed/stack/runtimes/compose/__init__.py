"""Runs stacks in containers, with Docker Compose."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path

from common.config import SECRET_VARIABLE, Settings
from common.topology import Topology
from testbed import CHECKOUT, hints
from testbed.errors import StateError, TestbedError
from testbed.stack import lock, ports, prepare
from testbed.stack import records as stacks
from testbed.stack.manifests import compose as manifest
from testbed.stack.manifests import parts
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Stopped, health, secret
from testbed.stack.runtimes.compose import containers, engine, processes, usage
from testbed.stack.runtimes.compose.controls import FILE, ComposeControls
from testbed.stack.runtimes.compose.engine import answers
from testbed.stack.runtimes.compose.meter import ContainerMeter
from testbed.stack.runtimes.logs import log_tail
from testbed.stack.spec import StackSpec

__all__ = ["ComposeRuntime", "answers", "make"]

NAME = "compose"
# The image is built from the checkout that this is a part of, wherever the state of stacks lies.


@dataclass(frozen=True)
class ComposeRuntime:
    """The :class:`testbed.stack.runtimes.Runtime` of containers. Times are in seconds.

    The image is built once for each runtime, which takes a second or two if nothing has changed.
    """

    start_timeout: float = 90.0
    margin: float = 3.0
    health_timeout: float = 5.0
    lock_wait: float = 10.0
    _built: list[bool] = dataclasses.field(default_factory=list)

    def up(self, topology: Topology, spec: StackSpec, progress: Progress) -> StackRecord:
        """Start a stack, as :meth:`testbed.stack.runtimes.Runtime.up` says."""
        if spec.clock:
            raise TestbedError(
                "the clocks of containers cannot be set: they share that of their host",
                "leave --clock out, or run local processes: --runtime local",
            )
        scaled = spec.scaled(topology)
        text = manifest.render(topology, spec)
        engine.connect()
        with lock.held(topology.design, "up"):
            self._make_way(topology.design, progress)
            ports.require_free(prepare.port_uses(scaled))
            record = dataclasses.replace(
                prepare.blank(NAME, scaled, spec), budget=parts.budget_of_each(scaled, spec)
            )
            try:
                stacks.save(record)
                secret.make(stacks.secret_file(topology.design))
                self._start(scaled, text, progress)
                record = dataclasses.replace(record, processes=processes.records(scaled))
                stacks.save(record)
                self._wait_until_ready(record, progress)
                record = dataclasses.replace(record, ready=True)
                stacks.save(record)
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
        found = containers.find(record.design)
        running = {name: each for name, each in found.items() if each.status == containers.RUNNING}
        addresses = {each.name: f"{ports.HOST}:{each.port}" for each in record.processes}
        reported = health.check(
            {name: at for name, at in addresses.items() if name in running}, self.health_timeout
        )
        used = usage.read(running)
        return [
            processes.status(
                each, record.metrics[each.name], running.get(each.name), reported, used
            )
            for each in record.processes
        ]

    def meter(self, record: StackRecord) -> ContainerMeter:
        """Return the meter of a stack, as :meth:`testbed.stack.runtimes.Runtime.meter` says."""
        found = containers.find(record.design)
        return ContainerMeter({each.name: found[each.name] for each in record.measured})

    def controls(self, record: StackRecord) -> ComposeControls:
        """Return what injects faults, as :meth:`testbed.stack.runtimes.Runtime.controls` says."""
        limits = (self.start_timeout, self.margin, self.lock_wait)
        return ComposeControls(record, project(), *limits)

    def save_logs(self, design: str) -> None:
        """Write the logs of the containers to the log files."""
        for name, container in containers.find(design).items():
            containers.save_log(container, stacks.log_file(design, name))

    def _make_way(self, design: str, progress: Progress) -> None:
        """Clean up what an earlier run left; raise :class:`TestbedError` if the stack is up."""
        try:
            record = stacks.load(design)
        except StateError:
            record = None
        if record and record.ready and record.alive():
            raise TestbedError(
                f"design {design} is already up at {', '.join(record.endpoints)}",
                f"run `testbed down {design}` first for a fresh stack; "
                "`testbed status` shows this one",
            )
        if others := containers.foreign(design):
            name, marker = next(iter(others.items()))
            where = marker.rpartition(":")[0]
            file = hints.path(CHECKOUT / "compose" / f"design-{design}.yaml")
            raise TestbedError(
                f"design {design} already runs in containers of "
                f"{where or 'a docker compose called by hand'}: {name}, …",
                f"run `testbed down {design}` there"
                if where
                else f"docker compose --file {file} down",
            )
        if not (stopped := self._clean(design, progress)).nothing:
            progress(f"cleaned up after an earlier run: {stopped.notice or 'stray containers'}")

    def _start(self, topology: Topology, text: str, progress: Progress) -> None:
        design = topology.design
        file = stacks.folder_of(design) / FILE
        file.write_text(text, encoding="utf-8")
        if not self._built:
            progress("building the image, if anything has changed")
            # All services are of one image, which is built for one of them.
            _compose(design, file, ["build", "--quiet", topology.processes[0].name], progress)
            self._built.append(True)
        progress("starting the containers")
        _compose(design, file, ["up", "--detach", "--no-build", "--force-recreate"], progress)

    def _wait_until_ready(self, record: StackRecord, progress: Progress) -> None:
        serving: list[str] = []
        checked = [0.0]

        def watch() -> None:
            # A check costs the engine something, and the start is short.
            if time.monotonic() - checked[0] < 1.0:
                return
            checked[0] = time.monotonic()
            found = containers.find(record.design)
            for each in record.processes:
                if ended := containers.exit_text(found[each.name]):
                    containers.save_log(found[each.name], Path(each.log))
                    raise TestbedError(
                        f"{each.name} ended during start ({ended}). The end of {each.log}:\n"
                        f"{log_tail(each.log)}",
                        "the rest was stopped; fix the cause, then try again",
                    )

        def ready(name: str) -> None:
            serving.append(name)
            progress(f"{name} serves ({len(serving)} of {len(record.processes)})")

        addresses = {each.name: f"{ports.HOST}:{each.port}" for each in record.processes}
        if late := health.wait_until_serving(addresses, self.start_timeout, watch, ready):
            raise TestbedError(
                f"{', '.join(late)} did not serve within {self.start_timeout:g} s",
                f"everything was stopped; `testbed logs {record.design}` shows the logs",
            )

    def _clean(self, design: str, progress: Progress) -> Stopped:
        """Stop and remove all containers of a design and its state file. Holds the lock already."""
        notice = ""
        try:
            record = stacks.load(design)
        except StateError as error:
            record, notice = None, str(error)
        found = containers.find(design)
        if record and not record.ready:
            notice = "its start had not been completed"
        for container in found.values():
            containers.thaw(container)
        running = {name: each for name, each in found.items() if each.status == containers.RUNNING}
        if record and not notice and (dead := {e.name for e in record.processes} - set(running)):
            notice = f"already dead: {', '.join(sorted(dead))}"
        killed = processes.stop_in_order(record, running, self._grace(record), progress)
        for name, container in found.items():
            containers.save_log(container, stacks.log_file(design, name))
        containers.remove(found.values(), project())
        stacks.forget(design)
        known = {each.name for each in record.processes} if record else set()
        return Stopped(
            design,
            tuple(name for name in running if name in known and name not in killed),
            tuple(killed),
            len(set(found) - known),
            notice,
        )

    def _grace(self, record: StackRecord | None) -> float:
        """Return the seconds that a process has to stop before it is killed."""
        settings = record.settings if record else {}
        return float(settings.get("stop_grace", Settings.stop_grace)) + self.margin


def make() -> ComposeRuntime:
    """Return the runtime with its usual limits."""
    return ComposeRuntime()


def project() -> str:
    """Return the name of the Compose project, which is that of its network too."""
    return os.environ.get(manifest.PROJECT_VARIABLE, manifest.PROJECT)


def _compose(design: str, file: Path, arguments: list[str], progress: Progress) -> None:
    variables = {
        manifest.STACK_VARIABLE: stacks.marker(design),
        SECRET_VARIABLE: str(stacks.secret_file(design)),
    }
    engine.compose(file, CHECKOUT / "compose", variables, arguments, progress)
