"""Topologies written down for what runs containers: one module for each format.

A format is a module here with ``path(design) -> str``, where the manifest of a design lies in the
project, and ``render(topology, spec) -> str``, its text. The committed ones are those of the
default :class:`StackSpec`; they are for reading, and for those who run containers by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.stack import designs

# Name of a format -> its module.
FORMATS = {
    "compose": "testbed.stack.manifests.compose",
    "swarm": "testbed.stack.manifests.swarm",
    "kubernetes": "testbed.stack.manifests.kubernetes",
}


class Format(Protocol):
    """What the module of a format has."""

    def path(self, design: str) -> str:
        """Return where the manifest of a design lies, from the root of the project."""

    def render(self, topology: Topology, spec: StackSpec) -> str:
        """Return the manifest of a stack. Raises :class:`TestbedError` for an impossible one."""


def get(name: str) -> Format:
    """Return the format of that name. Raises :class:`TestbedError` if there is none."""
    if name not in FORMATS:
        raise TestbedError(f"there is no format {name!r}", f"known: {', '.join(FORMATS)}")
    module: Format = import_module(FORMATS[name])
    return module


def committed() -> Iterator[tuple[str, str]]:
    """Yield the path, from the root of the project, and the text of every committed manifest."""
    for name in FORMATS:
        for design in designs.names():
            made = get(name)
            yield made.path(design), made.render(designs.load(design), StackSpec())


def write(root: Path) -> list[str]:
    """Write every committed manifest; return the paths of those that changed."""
    changed = stale(root)
    for path, text in committed():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return changed


def stale(root: Path) -> list[str]:
    """Return the paths of the committed manifests that are not what the topologies say."""
    return [
        path
        for path, text in committed()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]
