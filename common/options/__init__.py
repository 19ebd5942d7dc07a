"""Options of a side: one file each, found here by what it defines.

A module of this package defines ``OPTION``, or ``OPTIONS`` if it makes several of one kind. What
it does lies behind the seams that there are; the option says which setting or process it adds.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module

from common.options.option import Option, OptionError

__all__ = ["Option", "OptionError", "company", "get", "in_order", "load"]

_HELPERS = ("option", "values")


@cache
def load() -> Mapping[str, Option]:
    """Return every option by its name, in the order of their names."""
    found = {option.name: option for option in _defined()}
    return dict(sorted(found.items()))


def get(name: str) -> Option:
    """Return the option of that name. Raises ``KeyError`` if there is none."""
    return load()[name]


def in_order(names: Iterable[str]) -> list[Option]:
    """Return options by name in the order in which they are applied.

    Those that shape the topology come first, and each comes after those that it goes with. Raises
    ``KeyError`` for one that there is not.
    """
    return sorted(map(get, names), key=lambda each: (not each.shapes, _depth(each)))


def company(option: Option) -> dict[str, str]:
    """Return the options, with their values, without which one has no meaning, and theirs."""
    found = dict(option.goes_with)
    for name in option.goes_with:
        found = {**company(get(name)), **found}
    return found


def _depth(option: Option) -> int:
    return max((1 + _depth(get(name)) for name in option.goes_with), default=0)


def _defined() -> Iterator[Option]:
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _HELPERS:
            loaded = import_module(f"{__name__}.{module.name}")
            yield from getattr(loaded, "OPTIONS", ()) or (loaded.OPTION,)
