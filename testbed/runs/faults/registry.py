"""Finds all kinds of fault."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import testbed.runs.faults.kinds
from testbed.errors import TestbedError
from testbed.runs.faults.kind import Kind


@cache
def load() -> dict[str, Kind]:
    """Return the ``KIND`` of every module in ``testbed.runs.faults.kinds``, by name.

    Raises ``TypeError`` for a module that has none, or one of another name than its own.
    """
    package = testbed.runs.faults.kinds
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        kind = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "KIND", None)
        if not isinstance(kind, Kind) or kind.name != module.name:
            raise TypeError(f"{package.__name__}.{module.name} has no KIND of that name")
        found[kind.name] = kind
    return found


def get(name: str) -> Kind:
    """Return a kind. Raises :class:`TestbedError`, naming those that there are."""
    kinds = load()
    if name not in kinds:
        raise TestbedError(
            f"there is no kind of fault {name!r}",
            f"kinds: {', '.join(kinds)}; `testbed fault list` explains them",
        )
    return kinds[name]
