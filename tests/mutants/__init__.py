"""Defects, each a module of its own, that tests switch on to see whether they are caught.

A mutant's module binds ``MUTANT``. Nothing of this is in the code that ships.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Patches:
    """Replaces attributes and can put them back."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute that exists."""
        self._before.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back."""
        while self._before:
            setattr(*self._before.pop())


@dataclass(frozen=True)
class Mutant:
    """A defect: the designs that it harms, and what catches it, in which scenario.

    ``caught_by`` are rules of the checker, or other names that ``tests/simulation/judged.py``
    gives to what is wrong.
    """

    about: str
    designs: tuple[str, ...]
    caught_by: Set[str]
    apply: Callable[[Patches], None]
    scenario: str = "faults"


def load() -> dict[str, Mutant]:
    """Return all mutants, by the names of their modules."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return {
        name: importlib.import_module(f"{__name__}.{name}").MUTANT
        for name in sorted(names)
        if not name.startswith("_")
    }


@contextmanager
def switched_on(mutant: Mutant | None) -> Iterator[None]:
    """Have the defect from the start of the block to its end; ``None`` is none."""
    patches = Patches()
    try:
        if mutant is not None:
            mutant.apply(patches)
        yield
    finally:
        patches.undo()
