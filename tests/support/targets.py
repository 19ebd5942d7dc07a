"""What the contract suite runs against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import inprocess
from tests.support.stacks import SLOTS, Stack, running

INPROCESS = "inprocess"
DESIGNS = (INPROCESS, "a", "b")


@dataclass(frozen=True)
class Target:
    """A running task queue: where clients call, and what is known of what is behind.

    ``slots`` jobs run at once. ``metrics`` are ``host:port`` by process name, empty if unknown.
    ``stack`` has the processes of a design.
    """

    name: str
    endpoints: tuple[str, ...]
    slots: int
    metrics: Mapping[str, str] = field(default_factory=dict)
    stack: Stack | None = None


@contextmanager
def open_target(name: str, directory: Path) -> Iterator[Target]:
    """Run a target from the start of the block to its end. Raises ``StartError``."""
    if name == INPROCESS:
        with inprocess.serving(SLOTS) as endpoint:
            yield Target(name, (endpoint,), SLOTS)
        return
    with running(name, directory) as stack:
        metrics = {each: stack.metrics_address(each) for each in stack.names}
        yield Target(name, stack.endpoints, SLOTS, metrics, stack)
