"""Options of a side: one file each, found here by what it defines.

A module of this package defines ``OPTION``, or ``OPTIONS`` if it makes several of one kind. What
it does lies behind the seams that there are; the option says which setting or process it adds.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from common.options.option import Option, OptionError

__all__ = ["Option", "OptionError", "get", "load"]

_HELPERS = ("option", "values")


@cache
def load() -> Mapping[str, Option]:
    """Return every option by its name, in the order of their names."""
    found = {option.name: option for option in _defined()}
    return dict(sorted(found.items()))


def get(name: str) -> Option:
    """Return the option of that name. Raises ``KeyError`` if there is none."""
    return load()[name]


def _defined() -> Iterator[Option]:
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _HELPERS:
            loaded = import_module(f"{__name__}.{module.name}")
            yield from getattr(loaded, "OPTIONS", ()) or (loaded.OPTION,)
