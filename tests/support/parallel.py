"""How the tests are shared out among the processes of pytest-xdist.

The tests of a file stay together, so that what they share is started once, and so do all tests that
a mark ``xdist_group`` puts together: those which need the ports that the designs name by default,
those which need a container engine, whose memory is shared out to one stack at a time, and those of
the contract suite that call the same target.
"""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadGroupScheduling

from tests.support import needs

DEFAULT_PORTS = "default ports"
"""The group of the tests that start stacks where users do: one after another."""
ENGINE = "engine"


def worker() -> int:
    """Return the number of this process among those that run tests, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Scheduler(LoadGroupScheduling):
    """Gives a process the tests of a group, or of a file, at a time."""

    def _split_scope(self, nodeid: str) -> str:
        group = super()._split_scope(nodeid)
        return nodeid.split("::", 1)[0] if group == nodeid else group


def group(items: list[pytest.Item]) -> None:
    """Mark the tests that cannot run beside each other."""
    for item in items:
        if "default_ports" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(DEFAULT_PORTS))
        elif any("engine" in mark.args for mark in item.iter_markers(needs.MARKER)):
            item.add_marker(pytest.mark.xdist_group(ENGINE))
