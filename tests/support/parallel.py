"""How the tests are shared out among the processes of pytest-xdist.

The tests of a file stay together, so that what they share is started once. So do those of the
contract suite that call the same target, or targets with the same store, and all files whose tests
need what there is once on a machine: the ports that the designs name by default, and a container
engine.
"""

from __future__ import annotations

import os
import re

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support import needs

ONCE = re.compile(
    r"tests/(containers/|examples/test_node_server|observability/"
    r"|integration/(test_(calibrate|compare|fault_runs|faults|nodes|observability|proxies|scaling)\.py"
    r"|load/test_(options|stacks)\.py|stack/test_engine\.py))"
)
"""Files whose tests run one after another. Those of faults are timed, and ask for quiet."""
_TARGET = re.compile(r"tests/contract/.*\[(?:[ab]\+store=)?(redis|postgres|inprocess|a|b|target)\b")


def is_worker() -> bool:
    """Return whether this process was started to run tests by another that has shared them out."""
    return "PYTEST_XDIST_WORKER" in os.environ


def worker() -> int:
    """Return the number of this process among those that run tests, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Scheduler(LoadScopeScheduling):
    """Gives a process the tests of a group, or of a file, at a time."""

    def _split_scope(self, nodeid: str) -> str:
        if ONCE.match(nodeid):
            return "once"
        if target := _TARGET.match(nodeid):
            return f"contract of {target[1]}"
        return nodeid.split("::", 1)[0]


def check(items: list[pytest.Item]) -> None:
    """Hold the tests to the list above. Raises ``UsageError``."""
    for item in items:
        needed = {name for mark in item.iter_markers(needs.MARKER) for name in mark.args}
        once = "engine" in needed or "default_ports" in getattr(item, "fixturenames", ())
        if once and not ONCE.match(item.nodeid):
            raise pytest.UsageError(f"{item.nodeid} cannot run beside others: see {__name__}")
