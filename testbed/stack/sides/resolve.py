"""From a side as it is written to what is started for it; what cannot be is found out first."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from common import options
from common.config import optional
from common.options import Option, OptionError
from common.stack_spec import DEFAULT_RUNTIME, StackSpec
from common.topology import LINKS, Topology
from testbed.errors import TestbedError
from testbed.stack import designs, prepare
from testbed.stack.runtimes import Progress, silent
from testbed.stack.sides import declaration, revisions
from testbed.stack.sides.declaration import Declaration
from testbed.stack.sides.revisions import Revision
from testbed.stack.sides.side import Side, SideError

# Stands in ``Deployment.declared`` for every fact that there is.
EVERY_FACT = "*"
_DOCKERFILE = "compose/Dockerfile"


@dataclass(frozen=True)
class Deployment:
    """What is started for a side: its design with the options applied, and how it runs.

    ``declared`` names each fact that may differ because of what the side says, and by what;
    :data:`EVERY_FACT` stands for all that are not named. ``revision`` is the one whose code is
    started, if it is not that of this checkout as it is. Of a server that is there already the
    topology has no processes, and ``declaration`` is what a file says of it, if one was named.
    """

    side: Side
    topology: Topology
    spec: StackSpec
    declared: Mapping[str, str] = field(default_factory=dict, hash=False)
    declaration: Declaration | None = None
    revision: Revision | None = None

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

    A revision is exported first, which :func:`make_ready` does with progress. Raises
    :class:`TestbedError` naming the part of the side that is wrong, and what there is.
    """
    side = Side.parse(side) if isinstance(side, str) else side
    if side.addresses:
        return _external(side, base)
    revision = make_ready(side, base.runtime)
    try:
        topology, source = (
            revisions.describe(revision, side.design)
            if revision
            else (designs.load(side.design), None)
        )
    except TestbedError as error:
        raise SideError(f"side {str(side)!r}: {error}", error.hint) from error
    spec = replace(base, side=str(side), source=source)
    declared = {EVERY_FACT: f"revision {revision}"} if revision else {}
    for name, value in side.options.items():
        _require_known_option(side, name, value)
    for option in options.in_order(side.options):
        name, value = option.name, side.options[option.name]
        _require_company(side, option)
        try:
            topology, spec = option.apply(topology, spec, value)
        except OptionError as error:
            raise SideError(f"side {str(side)!r}: option {name!r}: {error}") from error
        declared |= dict.fromkeys(option.facts, f"option {name}={value}")
    _check(side, topology, spec, revision)
    return Deployment(side, topology, spec, declared, revision=revision)


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


def checked(side: str) -> str:
    """Return a side as it is always written, if it can be; what cannot be is found out early.

    What a revision knows, and what a declaration says, is read when it is started. Raises
    :class:`TestbedError`.
    """
    parsed = Side.parse(side)
    if not parsed.revision and not parsed.addresses:
        resolve(parsed)
    return str(parsed)


def make_ready(side: Side, runtime: str, progress: Progress = silent) -> Revision | None:
    """Return the revision of a side with its files and its packages, ``None`` if it names none.

    To make them takes up to a minute, on which it reports to ``progress``; from then on they are
    there. ``runtime`` is where the side runs if it says nothing else. Raises
    :class:`SideError` for a revision that cannot be had.
    """
    if not side.revision:
        return None
    try:
        return _ready(side.revision, side.options.get("runtime", runtime), progress)
    except TestbedError as error:
        raise SideError(f"side {str(side)!r}: {error}", error.hint) from error


def _ready(name: str, runtime: str, progress: Progress) -> Revision:
    local = runtime == DEFAULT_RUNTIME
    revision = revisions.find(name, progress, local=local)
    if not local and not (revision.tree / _DOCKERFILE).is_file():
        raise TestbedError(
            f"revision {revision} has no {_DOCKERFILE}, so it cannot run in containers",
            "run it as local processes: --runtime local, or +runtime=local",
        )
    return revision


def _require_known_option(side: Side, name: str, value: str) -> None:
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


def _require_company(side: Side, option: Option) -> None:
    for name, value in option.goes_with.items():
        if side.options.get(name) != value:
            raise SideError(
                f"side {str(side)!r}: option {option.name!r} has no meaning without {name}={value}",
                f"write {side}+{name}={value}",
            )


def _check(side: Side, topology: Topology, spec: StackSpec, revision: Revision | None) -> None:
    """Raise :class:`SideError` for settings that do not go together, or slots that cannot."""
    try:
        if revision:
            _require_known(spec, revision)
        filled = prepare.filled(prepare.scaled(topology, spec), spec, prepare.Place())
        if revision:
            measured = [each for each in filled if each.is_ours and each.name != LINKS]
            revisions.check(revision, {each.name: each.environment for each in measured})
    except TestbedError as error:
        raise SideError(f"side {str(side)!r}: {error}", error.hint) from error


def _require_known(spec: StackSpec, revision: Revision) -> None:
    """Raise :class:`TestbedError` for a setting that was asked for and that a revision lacks."""
    known = spec.source.settings if spec.source else frozenset()
    if lacking := sorted(spec.settings.keys() - known):
        raise TestbedError(
            f"option {lacking[0]!r}: revision {revision} has no such setting",
            f"of those that can be set today it has "
            f"{', '.join(each.name for each in optional() if each.name in known)}",
        )
