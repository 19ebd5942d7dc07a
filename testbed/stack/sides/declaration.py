"""What a server that is not ours guarantees, as one TOML file says: ``+declaration=FILE``.

What such a file says are facts of its side, as those that our processes publish. What it does not
say is unknown.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.guarantees import DELIVERY, DURABILITY, METHODS
from testbed.stack.sides.side import SideError

# The option of a side that names the file.
OPTION = "declaration"
HINT = "docs/external-servers.md says what a declaration has, examples/declaration.toml is one"
# A difference in this has to be declared by the plan: figures of the two are no like for like.
_FOR_THE_PLAN = "durability"
_MOST_SLOTS = 1_000_000
# What the load generator calls each method in a mix.
_CALLS = {
    "submit": "SubmitJob",
    "status": "GetJobStatus",
    "result": "GetJobResult",
    "cancel": "CancelJob",
    "list": "ListJobs",
}


class DeclarationError(SideError):
    """A declaration cannot be read; the message names the file and every key that is wrong."""


@dataclass(frozen=True)
class Declaration:
    """What a server is said to guarantee; ``None`` is not said. ``file`` is as it was named.

    ``durability`` and ``delivery`` are words of :mod:`common.guarantees`, ``slots`` how many jobs
    it runs at a time, ``methods`` those of the contract that it has, sorted.
    """

    file: str
    about: str
    durability: str | None = None
    delivery: str | None = None
    slots: int | None = None
    methods: tuple[str, ...] | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What it says, as facts by name."""
        said = {
            "durability": self.durability,
            "delivery": self.delivery,
            "slots": None if self.slots is None else f"{self.slots:,}",
            "methods": None if self.methods is None else ",".join(self.methods),
        }
        return {name: text for name, text in said.items() if text is not None}

    @property
    def declared(self) -> dict[str, str]:
        """The facts that may differ because of it, by what: all but durability."""
        by = f"declaration {self.file}"
        return {name: by for name in self.facts if name != _FOR_THE_PLAN}

    def lacks(self, method: str) -> bool:
        """Whether it says that there is no such method."""
        return self.methods is not None and method not in self.methods

    def unserved(self, mix: str) -> tuple[str, ...]:
        """Name the methods that a mix calls, ``submit=40,cancel=0``, and that it says it lacks."""
        weights = (each.partition("=") for each in mix.split(","))
        called = (_CALLS.get(name.strip(), "") for name, _, weight in weights if weight != "0")
        return tuple(method for method in called if method and self.lacks(method))


def read(file: str) -> Declaration:
    """Read a declaration. Raises :class:`DeclarationError` with all that is wrong with it."""
    try:
        data = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        where = "" if Path(file).is_absolute() else f" in {Path.cwd()}"
        raise DeclarationError(f"there is no declaration {file}{where}", HINT) from None
    except OSError as error:
        raise DeclarationError(f"{file}: {error.strerror}", HINT) from error
    except ValueError as error:
        raise DeclarationError(f"{file}: {error}", HINT) from error
    return parse(data, file)


def parse(data: Mapping[str, Any], file: str) -> Declaration:
    """Make a declaration of the contents of ``file``."""
    problems = [f"{key}: unknown key" for key in data if key not in _CHECKS]
    problems += [
        f"{key}: {problem}"
        for key, check in _CHECKS.items()
        if key in data and (problem := check(data[key]))
    ]
    if "about" not in data:
        problems.append("about: is missing")
    if problems:
        known = f"keys: {', '.join(_CHECKS)}; {HINT}"
        raise DeclarationError("\n".join(f"{file}: {each}" for each in problems), known)
    given = dict(data)
    if "methods" in given:
        given["methods"] = tuple(sorted(given["methods"]))
    return Declaration(file=file, **given)


def _sentence(value: Any) -> str:
    good = isinstance(value, str) and value.strip()
    return "" if good else f"{value!r} is not a sentence on what it is"


def _word(known: Mapping[str, str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        good = isinstance(value, str) and value in known
        return "" if good else f"{value!r} is none of {', '.join(known)}"

    return check


def _slots(value: Any) -> str:
    good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_SLOTS
    return "" if good else f"{value!r} is not a whole number from 1 to {_MOST_SLOTS:,}"


def _methods(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return f"{value!r} is not a list of methods"
    if unknown := [each for each in value if each not in METHODS]:
        return f"{', '.join(map(repr, unknown))}: none of {', '.join(METHODS)}"
    return "a method is named twice" if len(set(value)) < len(value) else ""


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "about": _sentence,
    "durability": _word(DURABILITY),
    "delivery": _word(DELIVERY),
    "slots": _slots,
    "methods": _methods,
}
