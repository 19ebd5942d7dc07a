"""The designs that the testbed knows: one line each."""

from __future__ import annotations

from importlib import import_module

from common.topology import Topology
from testbed.errors import TestbedError

# Name -> module with the constant ``TOPOLOGY``.
DESIGNS = {
    "a": "design_a.topology",
    "b": "design_b.topology",
    "node": "examples.node_server.topology",
}


def names() -> list[str]:
    """Name the designs."""
    return sorted(DESIGNS)


def source(name: str) -> str:
    """Return the path of a design's topology in the project; of an unknown one, nothing that is."""
    return f"{DESIGNS.get(name, name).replace('.', '/')}.py"


def load(name: str) -> Topology:
    """Return a design's topology.

    Raises :class:`TestbedError` for an unknown name, naming the known ones, and for a module that
    is not there.
    """
    if name not in DESIGNS:
        raise TestbedError(f"there is no design {name!r}", f"known designs: {', '.join(names())}")
    try:
        topology: Topology = import_module(DESIGNS[name]).TOPOLOGY
    except ModuleNotFoundError as error:
        raise TestbedError(
            f"design {name!r} should be in {DESIGNS[name]}: {error}",
            "run from the checkout that holds it, after `make`",
        ) from error
    return topology
