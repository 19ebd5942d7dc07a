"""What an option is: a name, its values, what it buys and costs, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from common.options.values import Values
from common.stack_spec import StackSpec
from common.topology import Topology

Started = tuple[Topology, StackSpec]
Apply = Callable[[Topology, StackSpec, str], Started]


class OptionError(ValueError):
    """An option does not go with the design or with another option; the message says why."""


def setting(name: str) -> Apply:
    """Return what gives a setting of every process the value of an option, and changes no more."""

    def apply(topology: Topology, spec: StackSpec, value: str) -> Started:
        return topology, replace(spec, settings={**spec.settings, name: value})

    return apply


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen for a side of a comparison, independent of all others.

    ``about`` says what it sets, ``buys`` and ``costs`` what that is good for and what it takes; all
    three are sentences without a full stop. ``apply`` gets the topology, how it is started and a
    value without a problem, and returns both as they are then; it raises :class:`OptionError` where
    the option makes no sense. ``facts`` name what a stack says of itself that may differ because of
    it. ``goes_with`` are options, with their values, without which it has no meaning. ``services``
    are programs besides ours that it may need. One that ``shapes`` the topology is applied
    before those that only set something, and each after those that it goes with. ``designs`` names
    those that it is for, if not for all.
    """

    name: str
    about: str
    values: Values
    default: str
    apply: Apply
    buys: str = ""
    costs: str = ""
    facts: tuple[str, ...] = ()
    goes_with: Mapping[str, str] = field(default_factory=dict, hash=False)
    services: tuple[str, ...] = ()
    shapes: bool = False
    designs: tuple[str, ...] = ()

    def problem(self, value: str) -> str:
        """Say what is wrong with a value; empty if nothing is."""
        return self.values.problem(value)
