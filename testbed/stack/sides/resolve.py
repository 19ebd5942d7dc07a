"""From a side as it is written to what is started for it; what cannot be is found out first."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from common import options
from common.options import Option, OptionError
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import designs, prepare
from testbed.stack.sides import declaration
from testbed.stack.sides.declaration import Declaration
from testbed.stack.sides.side import Side, SideError


@dataclass(frozen=True)
class Deployment:
    """What is started for a side: its design with the options applied, and how it runs.

    ``declared`` names each fact that may differ because of what the side says, and by what. Of a
    server that is there already the topology has no processes, and ``declaration`` is what a file
    says of it, if one was named.
    """

    side: Side
    topology: Topology
    spec: StackSpec
    declared: Mapping[str, str] = field(default_factory=dict, hash=False)
    declaration: Declaration | None = None

    @property
    def is_external(self) -> bool:
        """Whether it is a server that is there already, which nobody starts or stops here."""
        return bool(self.side.addresses)

    @property
    def design(self) -> str:
        """The design, by which its state is kept: one stack of a design is up at a time."""
        return self.topology.design

    @property
    def scaled(self) -> Topology:
        """The topology with its workers counted, and with links if it has them."""
        return prepare.scaled(self.topology, self.spec)

    def __str__(self) -> str:
        """Write the side in one line."""
        return str(self.side)


def resolve(side: Side | str, base: StackSpec = StackSpec()) -> Deployment:  # noqa: B008  # frozen
    """Return what is started for a side; where it says nothing ``base`` holds.

    Raises :class:`TestbedError` naming the part of the side that is wrong, and what there is.
    """
    side = Side.parse(side) if isinstance(side, str) else side
    if side.addresses:
        return _external(side, base)
    try:
        topology = designs.load(side.design)
    except TestbedError as error:
        raise SideError(f"side {str(side)!r}: {error}", error.hint) from error
    spec = replace(base, side=str(side))
    declared: dict[str, str] = {}
    for name, value in side.options.items():
        option = _option(side, name, value)
        try:
            topology, spec = option.apply(topology, spec, value)
        except OptionError as error:
            raise SideError(f"side {str(side)!r}: option {name!r}: {error}") from error
        declared |= dict.fromkeys(option.facts, f"option {name}={value}")
    _check(side, topology, spec)
    return Deployment(side, topology, spec, declared)


def started(side: Side | str, base: StackSpec, what: str) -> Deployment:
    """Return what is started for a side, for ``what`` cannot be done to a server of others.

    Raises :class:`SideError` for a side that is such a server; else as :func:`resolve`.
    """
    found = resolve(side, base)
    if found.is_external:
        raise SideError(
            f"side {str(found)!r}: {what} takes stacks that are started here, not servers that are "
            "there already",
            f"designs: {', '.join(designs.names())}",
        )
    return found


def _external(side: Side, base: StackSpec) -> Deployment:
    """Return what stands for a server that is there already."""
    for name in side.options:
        if name != declaration.OPTION:
            raise SideError(
                f"side {str(side)!r}: a server that is there already has no option {name!r}",
                f"it may have {declaration.OPTION}=FILE; docs/external-servers.md explains it",
            )
    file = side.options.get(declaration.OPTION)
    found = declaration.read(file) if file else None
    name, about = ",".join(side.addresses), found.about if found else "a server that is there"
    return Deployment(
        side=side,
        topology=Topology(name, about, (), ()),
        spec=replace(base, side=str(side)),
        declared=found.declared if found else {},
        declaration=found,
    )


def server(name: str) -> Deployment:
    """Return what stands for a server that nobody starts: it has no processes of ours."""
    return Deployment(Side(name), Topology(name, "", (), ()), StackSpec(side=name))


def resolve_all(sides: Sequence[str], base: StackSpec) -> tuple[Deployment, ...]:
    """Return what is started for each side, in their order. Errors as of :func:`resolve`."""
    return tuple(resolve(each, base) for each in sides)


def _option(side: Side, name: str, value: str) -> Option:
    known = options.load()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise SideError(
            f"side {str(side)!r}: there is no option {name!r}",
            f"{hint}there are {', '.join(known)}; `testbed options` explains them",
        )
    if problem := known[name].problem(value):
        raise SideError(f"side {str(side)!r}: option {name}={value}: {value!r} {problem}")
    return known[name]


def _check(side: Side, topology: Topology, spec: StackSpec) -> None:
    """Raise :class:`SideError` for settings that do not go together, or slots that cannot."""
    try:
        prepare.filled(prepare.scaled(topology, spec), spec, prepare.Place())
    except TestbedError as error:
        raise SideError(f"side {str(side)!r}: {error}", error.hint) from error
