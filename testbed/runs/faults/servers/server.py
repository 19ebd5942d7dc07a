"""A server of a stack as faults see it: where it is asked, and how a program is run beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.runs.faults.kind import Target
from testbed.stack.ports import HOST
from testbed.stack.runtimes.controls import Controls, process_of


@dataclass(frozen=True)
class Server:
    """A server that is called at ``port`` of this machine, and runs in ``container``, if in one."""

    name: str
    port: int
    container: str = ""

    @classmethod
    def of(cls, controls: Controls, target: Target) -> Server:
        """Return that which a fault hits."""
        record = process_of(controls.record, target.name)
        return cls(record.name, record.port, record.container)

    @property
    def host(self) -> str:
        """Where its port is."""
        return HOST

    def beside(self, command: Sequence[str]) -> list[str]:
        """Return what runs a command where the server runs, which is local to it."""
        inside = ("docker", "exec", self.container) if self.container else ()
        return [*inside, *command]
