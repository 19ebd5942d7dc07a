"""Runs stacks in containers, with Docker Compose."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.config import SECRET_VARIABLE
from common.process_spec import ProcessSpec
from common.stack_spec import Budget, StackSpec
from common.topology import Topology
from testbed import CHECKOUT, hints
from testbed.errors import StateError, TestbedError
from testbed.stack import prepare
from testbed.stack import records as stacks
from testbed.stack.manifests import compose as manifest
from testbed.stack.manifests import parts
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import ProcessStatus, Progress, Stopped, health
from testbed.stack.runtimes.compose import containers, engine, processes, usage
from testbed.stack.runtimes.compose.controls import FILE, ComposeControls
from testbed.stack.runtimes.compose.engine import answers
from testbed.stack.runtimes.compose.meter import ContainerMeter
from testbed.stack.runtimes.lifecycle import StackLifecycle, Start, ended_during_start

__all__ = ["ComposeRuntime", "answers", "make"]


@dataclass(frozen=True)
class ComposeRuntime(StackLifecycle):
    """The :class:`testbed.stack.runtimes.Runtime` of containers. Times are in seconds.

    An image is built once for each runtime, which takes a second or two if nothing has changed.
    """

    NAME = "compose"
    STRAYS = "stray containers"

    start_timeout: float = 90.0
    margin: float = 3.0
    health_timeout: float = 5.0
    lock_wait: float = 10.0
    _built: set[str] = dataclasses.field(default_factory=set)

    def status(self, record: StackRecord) -> list[ProcessStatus]:
        # What is paused has not ended: it does not answer.
        there = {containers.RUNNING, containers.PAUSED}
        found = containers.find(record.design)
        running = {name: each for name, each in found.items() if each.status in there}
        servers = {e.name: health.Server.of(e) for e in record.processes if e.name in running}
        reported = health.check(servers, self.health_timeout)
        used = usage.read(running)
        return [
            processes.status(
                each, record.metrics.get(each.name, ""), running.get(each.name), reported, used
            )
            for each in record.processes
        ]

    def meter(self, record: StackRecord) -> ContainerMeter:
        found = containers.find(record.design)
        return ContainerMeter({each.name: found[each.name] for each in record.measured})

    def controls(self, record: StackRecord) -> ComposeControls:
        limits = (self.start_timeout, self.margin, self.lock_wait)
        return ComposeControls(record, project(), *limits)

    def save_logs(self, design: str) -> None:
        """Write the logs of the containers to the log files."""
        for name, container in containers.find(design).items():
            containers.save_log(container, stacks.log_file(design, name))

    def _prepare(self, topology: Topology, spec: StackSpec) -> Start:
        if spec.clock:
            raise TestbedError(
                "the clocks of containers cannot be set: they share that of their host",
                "leave --clock out, or run local processes: --runtime local",
            )
        scaled = prepare.scaled(topology, spec)
        spec = _fitted(scaled, spec)
        text = manifest.render(topology, spec)
        inside = parts.filled(prepare.scaled(topology, spec, one_host=False), spec)
        # Services of one image have it built for one of them; what is official is fetched by `up`.
        built = {
            parts.image(each, prepare.source_of(spec, each.name)): each.name
            for each in inside
            if parts.is_built(each)
        }
        return lambda record, progress: self._start(record, scaled, inside, text, built, progress)

    def _blank(self, topology: Topology, spec: StackSpec) -> StackRecord:
        blank = super()._blank(topology, spec)
        spec = _fitted(topology, spec)
        return dataclasses.replace(blank, budget=parts.budget_of_each(topology, spec))

    def _require_no_others(self, design: str) -> None:
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

    def _start(
        self,
        record: StackRecord,
        topology: Topology,
        inside: Sequence[ProcessSpec],
        text: str,
        built: Mapping[str, str],
        progress: Progress,
    ) -> StackRecord:
        design = topology.design
        file = stacks.folder_of(design) / FILE
        file.write_text(text, encoding="utf-8")
        for image in built.keys() - self._built:
            progress("building the image, if anything has changed")
            _compose(design, file, ["build", "--quiet", built[image]], progress)
            self._built.add(image)
        progress("starting the containers")
        _compose(design, file, ["up", "--detach", "--no-build", "--force-recreate"], progress)
        started = dataclasses.replace(record, processes=processes.records(topology, inside))
        stacks.save(started)
        return started

    def _watcher(self, record: StackRecord) -> Callable[[], None]:
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
                    raise ended_during_start(each, ended)

        return watch

    def _late_error(self, record: StackRecord, late: Sequence[str]) -> TestbedError:
        return TestbedError(
            f"{', '.join(late)} did not serve within {self.start_timeout:g} s",
            f"everything was stopped; `testbed logs {record.design}` shows the logs",
        )

    def _clean(self, design: str, progress: Progress) -> Stopped:
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


def make() -> ComposeRuntime:
    """Return the runtime with its usual limits."""
    return ComposeRuntime()


def project() -> str:
    """Return the name of the Compose project, which is that of its network too."""
    return os.environ.get(manifest.PROJECT_VARIABLE, manifest.PROJECT)


def _fitted(scaled: Topology, spec: StackSpec) -> StackSpec:
    """Return the size of a stack none of whose containers may use more cores than the engine has.

    So is the usual budget of a design of one process or two made smaller on a small machine. Raises
    :class:`TestbedError` for a budget that was asked for.
    """
    cores = engine.cores()
    each = parts.budget_of_each(scaled, spec).cpus or 0
    if each <= cores:
        return spec
    count = parts.budgeted(scaled)
    if spec.budget is not None:
        raise TestbedError(
            f"{spec.budget.cpus:g} cores are {each:g} for each process of design "
            f"{scaled.design}, and the engine has {cores}",
            f"give {cores * count} or fewer: --cpus {cores * count}",
        )
    return dataclasses.replace(spec, budget=Budget(cpus=cores * count))


def _compose(design: str, file: Path, arguments: list[str], progress: Progress) -> None:
    variables = {
        manifest.STACK_VARIABLE: stacks.marker(design),
        SECRET_VARIABLE: str(stacks.secret_file(design)),
    }
    # The image is built from the checkout that this is a part of, wherever state lies.
    engine.compose(file, CHECKOUT / "compose", variables, arguments, progress)
