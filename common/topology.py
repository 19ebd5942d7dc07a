"""A design as data: which processes it has and who talks to whom.

One description serves every runtime: local processes put all of them on loopback, containers give
each a host of its own name. What a process is told it finds in its environment, as
:mod:`common.config` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from common.config import environment_of


@dataclass(frozen=True)
class ProcessSpec:
    """One process of a design.

    ``module`` is what ``python -m`` starts. ``port`` serves gRPC and ``metrics_port`` Prometheus.
    ``peers`` are the names of the processes that it calls. ``slot_share`` is its part of the
    stack's execution slots and how many fetches for them it keeps under way, 0 for a process that
    runs no jobs.
    """

    name: str
    module: str
    port: int
    metrics_port: int
    peers: tuple[str, ...] = ()
    slot_share: int = 0


@dataclass(frozen=True)
class Topology:
    """A design: its processes in the order of their start, and those that clients call."""

    design: str
    title: str
    processes: tuple[ProcessSpec, ...]
    entries: tuple[str, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)

    def process(self, name: str) -> ProcessSpec:
        """Return the process of that name. Raises ``KeyError`` if there is none."""
        return {process.name: process for process in self.processes}[name]

    def endpoints(self, host_of: Callable[[str], str] = lambda _: "127.0.0.1") -> list[str]:
        """Return ``host:port`` of each process that clients call."""
        return [f"{host_of(name)}:{self.process(name).port}" for name in self.entries]

    def environment(
        self,
        name: str,
        slots: int,
        settings: Mapping[str, object],
        host_of: Callable[[str], str] = lambda _: "127.0.0.1",
        bind: str = "127.0.0.1",
    ) -> dict[str, str]:
        """Return the environment variables of one process.

        ``slots`` is the total of the stack; ``settings`` are fields of ``Settings`` that differ
        from their defaults. Raises ``ValueError`` if the slots cannot be shared out evenly.
        """
        process = self.process(name)
        shares = sum(each.slot_share for each in self.processes)
        if slots < shares or slots % shares:
            raise ValueError(
                f"{slots} slots cannot be shared out evenly over design {self.design}: "
                f"give a multiple of {shares}"
            )
        peers = {peer: f"{host_of(peer)}:{self.process(peer).port}" for peer in process.peers}
        return environment_of(
            {
                **self.defaults,
                **settings,
                "name": process.name,
                "listen": f"{bind}:{process.port}",
                "metrics": f"{bind}:{process.metrics_port}",
                "peers": ",".join(f"{peer}={address}" for peer, address in peers.items()),
                "slots": slots // shares * process.slot_share,
                "fetchers": max(1, process.slot_share),
            }
        )


def role_of(name: str) -> str:
    """Return the role in a process's name: ``node`` of ``node-3``, and ``job`` of ``job``."""
    role, _, number = name.rpartition("-")
    return role if number.isdecimal() else name
