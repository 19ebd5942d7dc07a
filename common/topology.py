"""A design as data: which processes it has and who talks to whom.

One description serves every runtime: local processes put all of them on loopback, containers give
each a host of its own name. The settings of a process are in its environment, as
:mod:`common.config` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from common.config import environment_of
from common.process_spec import ProcessSpec

__all__ = ["LINKS", "MOST_COPIES", "Link", "ProcessSpec", "Topology", "role_of"]

MOST_COPIES = 20
# The process through which the calls of a stack go that has links.
LINKS = "links"
# From a scalable process's ports to those of its copies, counted on from there.
_COPY_PORTS = 20
# From a port of gRPC to that of the metrics of its process.
_METRICS = 1000
LOOPBACK = "127.0.0.1"
# From the name of a process to its host.
HostOf = Callable[[str], str]


def _loopback(_name: str) -> str:
    return LOOPBACK


@dataclass(frozen=True)
class Link:
    """The way of the calls from one process to another, through a port of the proxy of links."""

    caller: str
    callee: str
    port: int

    def __str__(self) -> str:
        return f"{self.caller}>{self.callee}"


@dataclass(frozen=True)
class Topology:
    """A design: its processes in the order of their start, and those that clients call.

    ``links_port`` is the first of a block of ports for its links, see :meth:`linked`, and
    ``stores_port`` of one for servers that keep its state; 0 if it has none. ``links`` are there
    once it is linked.
    """

    design: str
    title: str
    processes: tuple[ProcessSpec, ...]
    entries: tuple[str, ...]
    defaults: Mapping[str, str] = field(default_factory=dict)
    links_port: int = 0
    stores_port: int = 0
    links: tuple[Link, ...] = ()

    def process(self, name: str) -> ProcessSpec:
        """Return the process of that name. Raises ``KeyError`` if there is none."""
        return {process.name: process for process in self.processes}[name]

    @property
    def is_scalable(self) -> bool:
        """Return whether there is a process of which there may be several."""
        return any(process.scalable for process in self.processes)

    def scaled(self, count: int, one_host: bool = True) -> Topology:
        """Return the design with ``count`` copies of what is scalable, numbered from 1.

        They are alike, so that a runtime may start them from one description. Together they have
        the slots of one, and its fetches if their number divides those. On ``one_host`` each has
        ports of its own, the first those that it had; else all have those. A design in which
        nothing is scalable is returned as it is. Raises ``ValueError`` for a count below 1 or above
        :data:`MOST_COPIES`.
        """
        if not 1 <= count <= MOST_COPIES:
            raise ValueError(f"{count} workers: must be from 1 to {MOST_COPIES}")
        if count == 1:
            return self
        processes = [
            copy
            for process in self.processes
            for copy in (_copies(process, count, one_host) if process.scalable else [process])
        ]
        return replace(self, processes=tuple(processes))

    def linked(self) -> Topology:
        """Return the design with a link between each caller and whom it calls.

        One more process, :data:`LINKS`, has all of them. It serves at ``links_port``, and each link
        has a port of its own from the next on: at most 26 in A, of whose workers there may be 20,
        and 56 in B, of whose nodes there may be 8. Scale before. Raises ``ValueError`` for a design
        without a block of ports.
        """
        if not (pairs := self.calls_between_ours()):
            raise ValueError(
                f"design {self.design} has no links: no process of ours calls another one of ours"
            )
        if not self.links_port:
            raise ValueError(f"design {self.design} has no ports for links: give it a links_port")
        links = tuple(
            Link(caller, callee, self.links_port + number)
            for number, (caller, callee) in enumerate(pairs, start=1)
        )
        proxy = ProcessSpec(LINKS, "common.links", self.links_port, self.links_port + _METRICS)
        return replace(self, processes=(proxy, *self.processes), links=links)

    def calls_between_ours(self) -> list[tuple[str, str]]:
        """Return caller and callee of every way that calls of ours take: what links can be put on.

        The proxy of links knows no other protocol than that of our own processes.
        """
        ours = {each.name for each in self.processes if each.is_ours}
        return [
            (each.name, peer)
            for each in self.processes
            for peer in each.peers
            if {each.name, peer} <= ours
        ]

    def calls(self, name: str) -> tuple[str, ...]:
        """Name the processes that one needs for its calls, the proxy of its links among them."""
        linked = any(link.caller == name for link in self.links)
        return (*self.process(name).peers, *([LINKS] if linked else []))

    def endpoints(self, host_of: HostOf = _loopback) -> list[str]:
        """Return ``host:port`` of each process that clients call."""
        return [f"{host_of(name)}:{self.process(name).port}" for name in self.entries]

    @property
    def shares_slots(self) -> bool:
        """Whether the slots of the stack are shared out over its processes; else nobody knows."""
        return any(each.slot_share for each in self.processes)

    def slots_of(self, name: str, slots: int) -> int:
        """Return how many of all ``slots`` of the stack a process has.

        Raises ``ValueError`` if they cannot be shared out evenly.
        """
        if not self.shares_slots:
            return 0
        shares = sum(each.slot_share for each in self.processes)
        if slots < shares or slots % shares:
            raise ValueError(
                f"{slots} slots cannot be shared out evenly over design {self.design}: "
                f"give a multiple of {shares}"
            )
        return slots // shares * self.process(name).slot_share

    def environment(
        self,
        name: str,
        slots: int,
        settings: Mapping[str, object],
        host_of: HostOf = _loopback,
        bind: str = LOOPBACK,
    ) -> dict[str, str]:
        """Return the environment variables of a process of ours.

        ``slots`` is the total of the stack; ``settings`` are fields of ``Settings`` that differ
        from their defaults. Raises ``ValueError`` if the slots cannot be shared out evenly.
        """
        process = self.process(name)
        return environment_of(
            {
                **self.defaults,
                **process.settings,
                **settings,
                "name": process.name,
                "listen": f"{bind}:{process.port}",
                "metrics": f"{bind}:{process.metrics_port}",
                "peers": _pairs(self._peers(name, host_of)),
                "slots": self.slots_of(name, slots),
                "fetchers": max(1, process.slot_share),
                **self._links(name, bind),
            }
        )

    def values(
        self, name: str, slots: int, host_of: HostOf = _loopback, bind: str = LOOPBACK
    ) -> dict[str, str]:
        """Return what fills the placeholders of a process, but for ``{tree}`` and ``{data}``.

        Raises ``ValueError`` if the slots cannot be shared out evenly.
        """
        process = self.process(name)
        return {
            **self._peers(name, host_of),
            **{f"{use}_port": str(port) for use, port in process.ports.items()},
            "name": name,
            "host": bind,
            "port": str(process.port),
            "address": f"{host_of(name)}:{process.port}",
            "metrics_port": str(process.metrics_port),
            "slots": str(self.slots_of(name, slots)),
        }

    def _peers(self, name: str, host_of: HostOf) -> dict[str, str]:
        """Return where a process reaches each of its peers; the proxy, all that are called."""
        if name == LINKS:
            callees = dict.fromkeys(link.callee for link in self.links)
            return {each: f"{host_of(each)}:{self.process(each).port}" for each in callees}
        found = {
            peer: f"{host_of(peer)}:{self.process(peer).port}" for peer in self.process(name).peers
        }
        ways = (link for link in self.links if link.caller == name)
        return found | {link.callee: f"{host_of(LINKS)}:{link.port}" for link in ways}

    def _links(self, name: str, bind: str) -> dict[str, str]:
        """Return, for the proxy, where it listens for each link."""
        if name != LINKS:
            return {}
        return {"links": _pairs({str(link): f"{bind}:{link.port}" for link in self.links})}


def _pairs(addresses: Mapping[str, str]) -> str:
    return ",".join(f"{name}={address}" for name, address in addresses.items())


def _copies(process: ProcessSpec, count: int, one_host: bool) -> list[ProcessSpec]:
    moves = (number + _COPY_PORTS if number and one_host else 0 for number in range(count))
    return [
        replace(
            process.moved(move),
            name=f"{process.name}-{number}",
            slot_share=process.slot_share and max(1, process.slot_share // count),
        )
        for number, move in enumerate(moves, start=1)
    ]


def role_of(name: str) -> str:
    """Return the role in a process's name: ``node`` of ``node-3``, and ``job`` of ``job``."""
    role, _, number = name.rpartition("-")
    return role if number.isdecimal() else name
