"""A side of a comparison as it is written in one line: ``a@HEAD~3+lease=10``, ``host:port``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from testbed.errors import TestbedError

GRAMMAR = "DESIGN[@REVISION][+OPTION=VALUE]... or HOST:PORT[,HOST:PORT]...[+OPTION=VALUE]..."
HINT = f"a side is {GRAMMAR}; `testbed sides` explains it"
# An IPv6 address stands in brackets, so that its colons are not taken for the port's.
_ADDRESS = re.compile(
    r"(\[[0-9a-f:.%]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})", re.ASCII | re.IGNORECASE
)
_HIGHEST_PORT = 65_535


class SideError(TestbedError):
    """A side cannot be read or started; the message names the part that is wrong."""


@dataclass(frozen=True)
class Side:
    """One side as it was asked for: either a ``design`` or the ``addresses`` of a server.

    ``revision`` is what git is asked for, empty for the files as they are now. ``options`` are
    sorted by name and not checked beyond their form.
    """

    design: str = ""
    addresses: tuple[str, ...] = ()
    revision: str = ""
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str) -> Side:
        """Read a side. Raises :class:`SideError` for what has not the form of one."""
        head, *given = text.strip().split("+")
        if ":" in head.partition("@")[0]:
            return cls(addresses=_addresses(text, head), options=_options(text, given))
        design, at, revision = head.partition("@")
        if not design:
            before = f" before {text.strip()[0]!r}" if text.strip() else ""
            raise SideError(f"side {text!r} names no design{before}", HINT)
        if at and not revision:
            raise SideError(f"side {text!r} names no revision after '@'", HINT)
        return cls(design.lower(), (), revision, _options(text, given))

    @property
    def is_plain(self) -> bool:
        """Whether it is a design as it is, and nothing more."""
        return bool(self.design) and not self.revision and not self.options

    def __str__(self) -> str:
        """Write the side in one line, always the same for the same side."""
        head = self.design or ",".join(self.addresses)
        at = f"@{self.revision}" if self.revision else ""
        return head + at + "".join(f"+{name}={value}" for name, value in self.options.items())


def label(side: str) -> str:
    """Name one side in a table: the letter of a plain design, or the side as it is written."""
    return side.upper() if len(side) == 1 else side


def title(side: str) -> str:
    """Name one side in a sentence: ``design A``, or the side as it is written."""
    return f"design {label(side)}" if Side.parse(side).is_plain else side


def headline(side: str) -> str:
    """Name one side at the beginning of a sentence."""
    return title(side).replace("design ", "Design ", 1)


def folder_name(side: Side) -> str:
    """Return what names a side in the name of a folder; it need not be the side's alone."""
    return side.design or "server"


def labels(sides: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each side, given as texts, by which a reader tells them apart.

    Where every side is a plain design it is the design's letter, if it has one, else the side as it
    is written. Sides that are equal are numbered: ``A 1st`` and ``A 2nd``.
    """
    plain = all(Side.parse(each).is_plain for each in sides)
    named = [label(each) if plain else each for each in sides]
    return tuple(
        f"{name} {_ordinal(named[: index + 1].count(name))}" if named.count(name) > 1 else name
        for index, name in enumerate(named)
    )


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{suffix or 'th'}"


def _addresses(text: str, head: str) -> tuple[str, ...]:
    if "@" in head:
        raise SideError(f"side {text!r}: a server that is there already has no revision", HINT)
    addresses = tuple(each.strip() for each in head.split(","))
    for address in addresses:
        found = _ADDRESS.fullmatch(address)
        if found is None or not 0 < int(found["port"]) <= _HIGHEST_PORT:
            raise SideError(f"side {text!r}: {address!r} is no HOST:PORT", HINT)
    if twice := next((each for each in addresses if addresses.count(each) > 1), None):
        raise SideError(f"side {text!r} names {twice} twice", HINT)
    return addresses


def _options(text: str, given: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals or not value:
            raise SideError(f"side {text!r}: {each!r} is no OPTION=VALUE", HINT)
        if name in options:
            raise SideError(f"side {text!r} gives option {name!r} twice", HINT)
        options[name] = value
    return dict(sorted(options.items()))
