"""What a kind of fault is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.config import Settings
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack.records import StackRecord
from testbed.stack.runtimes.controls import Controls

# What a stack may have to be started with: fields of ``StackSpec``.
LINKS, CLOCK = "links", "clock"
# Or where it has to run.
CONTAINERS = "runtime compose"
_WHY_NONE = {
    "": "the design has no process",
    LINKS: "links are for calls between processes of ours",
    CLOCK: "only the clocks of processes of ours can be set",
    CONTAINERS: "the design has no process",
}
# Targets by what they are at that moment, after the name of their cluster.
IN_CLUSTER, PRIMARY, REPLICA = "/", "primary", "replica"
SECONDS = 5.0

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Target:
    """What one fault hits: ``affected`` are processes, or links written ``caller>callee``.

    A process is ``stateful`` if accepted jobs are lost with it. Links never are.
    """

    name: str
    affected: tuple[str, ...]
    stateful: bool = False


@dataclass(frozen=True)
class Parameter:
    """A number that a fault can be given, from ``least`` to ``most``."""

    name: str
    about: str
    default: float
    least: float
    most: float

    def read(self, text: str | float) -> float:
        """Return a value. Raises :class:`TestbedError` for one that is none or out of range."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most:
            raise TestbedError(
                f"{self.name}={text}: must be a number from {self.least:g} to {self.most:g}",
                f"{self.name}: {self.about}",
            )
        return value


def usual_seconds(_record: StackRecord) -> float:
    """Return how long a fault lasts by default."""
    return SECONDS


def seconds_of(seconds: float) -> Callable[[StackRecord], float]:
    """Return what says that a fault lasts for so long, in whichever stack."""
    return lambda _record: seconds


def _never(_controls: Controls, _target: Target) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    ``targets`` gives all that it can hit in a design, what holds no state first. ``inject`` does it
    and ``heal`` undoes it, which may be asked for again; both raise :class:`TestbedError`. What a
    stack of local processes has to be started with for it is ``needs``: nothing, :data:`LINKS` or
    :data:`CLOCK`; such a stack cannot have what needs :data:`CONTAINERS`. One that ``loses_state``
    loses that of a stateful target. ``seconds`` is how long it lasts in a stack by default. One
    that only some servers can have names their ``services``; it ``remains`` in one until it is
    healed, by whoever finds it there. One for something else that a design may be ``lacking`` names
    that.
    """

    name: str
    about: str
    targets: Callable[[Topology], list[Target]]
    inject: Callable[[Controls, Target, Parameters], None]
    heal: Callable[[Controls, Target], None]
    needs: str = ""
    loses_state: bool = False
    parameters: tuple[Parameter, ...] = ()
    seconds: Callable[[StackRecord], float] = usual_seconds
    services: tuple[str, ...] = ()
    lacking: str = ""
    remains: Callable[[Controls, Target], bool] = _never

    def target(self, topology: Topology, name: str) -> Target:
        """Return the target of that name; ``a:b`` is ``a>b``, which a shell leaves alone.

        Raises :class:`TestbedError`, naming those that there are.
        """
        found = {each.name: each for each in self.targets(topology)}
        wanted = name.replace(":", ">")
        if wanted not in found:
            raise TestbedError(
                f"{self.name} cannot hit {name!r} in design {topology.design}",
                f"targets: {known}" if (known := self.known(topology)) else self._why_none(),
            )
        return found[wanted]

    def known(self, topology: Topology) -> str:
        """Name the targets in a design, as a shell leaves them alone; nothing if there is none."""
        return ", ".join(each.name.replace(">", ":") for each in self.targets(topology))

    def _why_none(self) -> str:
        servers = self.lacking or " and no ".join(self.services)
        why = f"the design has no {servers}" if servers else _WHY_NONE[self.needs]
        return f"it can hit nothing there: {why}"

    def read(self, given: Mapping[str, str | float]) -> dict[str, float]:
        """Return the parameters: what is given, and the defaults of the rest.

        Raises :class:`TestbedError` for one that is unknown or out of range.
        """
        known = {each.name: each for each in self.parameters}
        if unknown := sorted(given.keys() - known.keys()):
            has = f"{self.name} has {', '.join(known)}" if known else f"{self.name} has none"
            raise TestbedError(f"unknown parameter: {', '.join(unknown)}", has)
        return {name: each.read(given.get(name, each.default)) for name, each in known.items()}

    def lost_state(self, target: Target) -> tuple[str, ...]:
        """Name the processes whose memory is lost once the target is hit."""
        return target.affected if self.loses_state and target.stateful else ()


def heartbeat_timeout(record: StackRecord) -> float:
    """Return after how many seconds of silence the workers of a stack are given up."""
    return float(record.settings.get("heartbeat_timeout", Settings.heartbeat_timeout))
