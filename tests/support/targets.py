"""What the contract suite runs against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import inprocess
from tests.support.stacks import SLOTS, Stack, StartError, running

INPROCESS = "inprocess"
DESIGNS = (INPROCESS, "a", "b")
SERVERS = ("redis", "postgres")
"""What tests need for the stores that are servers."""
UNCACHED = {f"{design}+store={server}": server for server in SERVERS for design in ("a", "b")}
"""The designs with each of those stores, and what they need."""
CACHED = {f"{design}+store=redis+cache=2": "redis" for design in ("a", "b")}
"""And each once behind a cache as well."""
STORED = UNCACHED | CACHED
# That an answer comes after the disk has the change is for other tests: here it would only wait.
_QUICK = {"redis_fsync": "no", "pg_sync": "off"}
# But a cache keeps nothing for the first minute of what a store may take back.
_SETTINGS = dict.fromkeys(UNCACHED, _QUICK) | {each: {"redis_fsync": "always"} for each in CACHED}


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
    with running(name, directory, **_SETTINGS.get(name, {})) as stack:
        metrics = {each: stack.metrics_address(each) for each in stack.names}
        yield Target(name, stack.endpoints, SLOTS, metrics, stack)


def chosen_targets(config: pytest.Config) -> list[str]:
    """Return the names of the targets that were asked for."""
    if config.getoption("--target"):
        return ["target"]
    chosen = str(config.getoption("--designs")).split(",")
    known = (*DESIGNS, *STORED)
    if unknown := sorted(set(chosen) - set(known)):
        raise pytest.UsageError(f"--designs: unknown {', '.join(unknown)}; use {', '.join(known)}")
    return chosen


class Targets:
    """Starts each target once, when it is first asked for."""

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._open: dict[str, Target | Exception] = {}
        self._exits = ExitStack()

    def get(self, name: str) -> Target:
        """Return a target; fail the test if it cannot be had."""
        if name not in self._open:
            self._open[name] = self._try(name)
        target = self._open[name]
        if isinstance(target, Exception):
            pytest.fail(f"{name} cannot be had: {target}")
        return target

    def close(self) -> None:
        """Stop all."""
        self._exits.close()

    def _try(self, name: str) -> Target | Exception:
        endpoints = self._config.getoption("--target")
        if name == "target":
            return Target(name, tuple(endpoints.split(",")), self._config.getoption("--slots"))
        try:
            return self._exits.enter_context(open_target(name, self._directory))
        except (StartError, AssertionError, OSError) as error:
            return error
