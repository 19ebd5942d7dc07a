"""The designs that the testbed knows: one line each."""

from __future__ import annotations

from importlib import import_module

from common.topology import Topology
from testbed.errors import TestbedError

# Name -> module with the constant ``TOPOLOGY``.
DESIGNS = {
    "a": "design_a.topology",
    "b": "design_b.topology",
}
DEFAULT_SLOTS = 12


def names() -> list[str]:
    """Name the designs."""
    return sorted(DESIGNS)


def load(name: str) -> Topology:
    """Return a design's topology. Raises :class:`TestbedError`, naming the known ones."""
    if name not in DESIGNS:
        raise TestbedError(f"there is no design {name!r}", f"known designs: {', '.join(names())}")
    topology: Topology = import_module(DESIGNS[name]).TOPOLOGY
    return topology
