"""Injects and heals faults of stacks in containers."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from testbed.errors import TestbedError
from testbed.stack import lock
from testbed.stack import records as stacks
from testbed.stack.manifests.compose import PROJECT
from testbed.stack.records import ProcessRecord, StackRecord
from testbed.stack.runtimes import health
from testbed.stack.runtimes.compose import containers, disk, engine
from testbed.stack.runtimes.controls import RecordedControls, process_of, require_server
from testbed.stack.runtimes.logs import log_tail

# Of the Compose file that a stack was started from.
FILE = "compose.yaml"


class ComposeControls(RecordedControls):
    """The :class:`testbed.stack.runtimes.Controls` of containers. Times are in seconds.

    ``network`` is the one that the containers share.
    """

    def __init__(
        self,
        record: StackRecord,
        network: str,
        start_timeout: float,
        margin: float,
        lock_wait: float,
    ) -> None:
        super().__init__(record, start_timeout, margin, lock_wait)
        self._network = network

    def kill(self, name: str) -> None:
        """Kill a container: all processes in it end at once."""
        container = self._running(name)
        container.kill()
        container.wait()

    def stop(self, name: str) -> None:
        """Stop a container gracefully, and kill it if it has not ended within its grace."""
        self._running(name).stop(timeout=round(self._grace()))

    def start(self, name: str) -> bool:
        """Start a container that has ended: the same one, so its name, ports and limits stay."""
        with lock.held(self._design, f"fault … ({name} starts)", self._lock_wait):
            record = self.record
            container = self._container(name)
            if container.status != containers.EXITED:
                return False
            self._require_ports(record, name)
            container.start()
            container.reload()
            new = dataclasses.replace(
                process_of(record, name),
                pid=int(container.attrs["State"]["Pid"]),
                create_time=containers.started_unix(container),
            )
            self._save_restarted(record, new)
        self._wait_until_serving(container, new)
        return True

    def pause(self, name: str) -> None:
        """Freeze a container: none of its processes runs on."""
        self._running(name).pause()

    def resume(self, name: str) -> bool:
        """Let a frozen container run on."""
        return containers.thaw(self._container(name))

    def isolate(self, name: str) -> None:
        """Take a container off the network, which is how its clients lose it too."""
        self._found_network().disconnect(self._running(name), force=True)

    def rejoin(self, name: str) -> bool:
        """Put a container back on the network under its names; its address may be another."""
        container = self._container(name)
        if self._network in container.attrs["NetworkSettings"]["Networks"]:
            return False
        self._found_network().connect(container, aliases=[name, *self._aliases(name)])
        return True

    def fill_disk(self, name: str) -> None:
        """Limit the size of files to nothing: each write fails, with another number than ENOSPC.

        A program that does not ignore SIGXFSZ is ended by that at its next write.
        """
        require_server(process_of(self.record, name), self._design)
        disk.fill(self._running(name))

    def empty_disk(self, name: str) -> bool:
        """Take the limit away."""
        return disk.empty(self._container(name))

    def is_disk_full(self, name: str) -> bool:
        """Say whether it has that limit."""
        return disk.is_full(self._container(name))

    def set_clock(self, name: str, seconds: float) -> None:  # noqa: ARG002  # it is refused
        """Refuse: containers share the clock of their host."""
        process_of(self.record, name)
        raise TestbedError(
            "the clock of a container is that of its host, and is not set",
            f"run the stack as local processes: testbed up {self._design} --runtime local --clock",
        )

    def _container(self, name: str) -> Container:
        """Return the container of a process, as it is now, running or not."""
        process = process_of(self.record, name)
        found = containers.find(self._design).get(name)
        if found is None or found.id != process.container:
            raise TestbedError(
                f"the container of {name} of design {self._design} no longer exists",
                f"`testbed down {self._design}` removes the rest",
            )
        return found

    def _running(self, name: str) -> Container:
        container = self._container(name)
        if container.status != containers.RUNNING:
            raise TestbedError(
                f"{name} of design {self._design} is not running, but {container.status}",
                f"`testbed fault heal {self._design}` heals that",
            )
        return container

    def _found_network(self) -> Network:
        found = engine.connect().networks.list(names=[self._network])
        exact = [each for each in found if each.name == self._network]
        if not exact:
            raise TestbedError(f"there is no network {self._network!r}")
        return exact[0]

    def _aliases(self, name: str) -> list[str]:
        """Return the other names of a process, from the file that it was started from."""
        text = (stacks.folder_of(self._design) / FILE).read_text(encoding="utf-8")
        document: dict[str, Any] = yaml.safe_load(text)
        return list(document["services"][name]["networks"][PROJECT]["aliases"])

    def _wait_until_serving(self, container: Container, new: ProcessRecord) -> None:
        server = {new.name: health.Server.of(new)}
        if health.wait_until_serving(server, self._start_timeout, _nothing, lambda _name: None):
            try:
                containers.save_log(container, stacks.log_file(self._design, new.name))
            except APIError:
                tail = "  (its log cannot be had)"
            else:
                tail = log_tail(new.log)
            raise TestbedError(
                f"{new.name} was started again and did not serve within {self._start_timeout:g} s. "
                f"The end of {new.log}:\n{tail}"
            )


def _nothing() -> None:
    """Watch for nothing: a container that ended does not serve, and its log says why."""
