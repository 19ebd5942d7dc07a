"""Injects and heals faults of stacks of local processes."""

from __future__ import annotations

import time

import psutil

from testbed.errors import TestbedError
from testbed.stack import lock
from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes import health
from testbed.stack.runtimes.controls import RecordedControls, process_of, require_server
from testbed.stack.runtimes.local import clock, disk, processes
from testbed.stack.runtimes.local.family import family
from testbed.stack.runtimes.logs import log_tail

# A process reads a new time within so many seconds.
_CLOCK_WAIT = 1.5


class LocalControls(RecordedControls):
    """The :class:`testbed.stack.runtimes.Controls` of plain processes. Times are in seconds."""

    def kill(self, name: str) -> None:
        """End a process and its family with SIGKILL."""
        process = self._running(name)
        processes.kill(process)
        clock.tidy(process.pid)

    def stop(self, name: str) -> None:
        """Ask a process to stop; SIGKILL ends it if it has not ended within its grace."""
        process = self._running(name)
        others = family(process)[1:]
        grace = self._grace()
        asks = {process.pid: process_of(self.record, name).stop_signal}
        processes.end([process], grace, asks)
        processes.end(processes.lingering(others), grace)
        clock.tidy(process.pid)

    def start(self, name: str) -> bool:
        """Start a process that has ended, on the ports that it had; its log goes on."""
        with lock.held(self._design, f"fault … ({name} starts)", self._lock_wait):
            record = self.record
            old = process_of(record, name)
            if old.is_alive():
                return False
            self._require_ports(record, name)
            new = processes.respawn(self._design, old)
            self._save_restarted(record, new)
        self._wait_until_serving(new)
        return True

    def pause(self, name: str) -> None:
        """Stop a process and its family from running on (SIGSTOP)."""
        processes.pause(self._running(name))

    def resume(self, name: str) -> bool:
        """Let a process and its family run on (SIGCONT); one that has ended has no need of it."""
        process = process_of(self.record, name).process()
        return process is not None and processes.resume(process)

    def isolate(self, name: str) -> None:
        """Lose all that the links of a process carry: on one machine there is nothing to unplug."""
        self._require_ours(name, "links, by which it could be isolated")
        self._links().isolate(name)

    def rejoin(self, name: str) -> bool:
        """Clear the faults of all links of a process."""
        process = process_of(self.record, name)
        has_links = process.is_ours and self.record.links is not None
        return has_links and self._links().rejoin(name) > 0

    def fill_disk(self, name: str) -> None:
        """Limit the size of files to nothing: each write fails, with another number than ENOSPC."""
        require_server(process_of(self.record, name), self._design)
        disk.fill(self._running(name))

    def empty_disk(self, name: str) -> bool:
        """Take the limit away."""
        process = process_of(self.record, name).process()
        return process is not None and disk.empty(process)

    def is_disk_full(self, name: str) -> bool:
        """Say whether it has that limit."""
        process = process_of(self.record, name).process()
        return process is not None and disk.is_full(process)

    def set_clock(self, name: str, seconds: float) -> None:
        """Set the wall clock that a process reads; all that reads it does so when this returns."""
        self._require_ours(name, "a clock that can be set")
        if not self.record.clock:
            raise TestbedError(
                f"the clocks of this stack of design {self._design} cannot be set",
                f"start it so: testbed down {self._design}, then testbed up {self._design} --clock",
            )
        if clock.offset(self._design, name) != seconds:
            clock.set_offset(self._design, name, seconds)
            time.sleep(_CLOCK_WAIT)

    def _require_ours(self, name: str, what: str) -> None:
        if not process_of(self.record, name).is_ours:
            raise TestbedError(
                f"{name} of design {self._design} is no process of ours and has not {what}",
                "it can be killed, stopped and paused",
            )

    def _running(self, name: str) -> psutil.Process:
        process = process_of(self.record, name).process()
        if process is None:
            raise TestbedError(
                f"{name} of design {self._design} is dead",
                f"`testbed fault heal {self._design}` starts it again",
            )
        return process

    def _wait_until_serving(self, new: ProcessRecord) -> None:
        def watch() -> None:
            if ended := processes.exit_text(new.pid):
                raise TestbedError(
                    f"{new.name} ended when it was started again ({ended}). The end of {new.log}:\n"
                    f"{log_tail(new.log)}",
                    f"`testbed down {self._design}` stops the rest",
                )

        server = {new.name: health.Server.of(new)}
        if health.wait_until_serving(server, self._start_timeout, watch, lambda _name: None):
            raise TestbedError(
                f"{new.name} was started again and did not serve within {self._start_timeout:g} s. "
                f"The end of {new.log}:\n{log_tail(new.log)}"
            )
