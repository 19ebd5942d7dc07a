"""Options and fixtures of the tests that call a running task queue."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.stacks import SLOTS, Stack, StartError
from tests.support.targets import DESIGNS, Target, open_target


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what the contract suite runs against."""
    group = parser.getgroup("taskqueue")
    group.addoption(
        "--designs",
        default=",".join(DESIGNS),
        help=f"designs to test, from {', '.join(DESIGNS)} (default: all)",
    )
    group.addoption(
        "--target",
        metavar="HOST:PORT[,HOST:PORT]",
        help="run the contract suite against this server, which nobody else uses, and nothing else",
    )
    group.addoption(
        "--slots",
        type=int,
        default=SLOTS,
        help="execution slots of the --target in total (default: %(default)s)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes a target against every one that was asked for."""
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", _targets(metafunc.config), indirect=True, scope="session")


def _targets(config: pytest.Config) -> list[str]:
    if config.getoption("--target"):
        return ["target"]
    chosen = str(config.getoption("--designs")).split(",")
    unknown = sorted(set(chosen) - set(DESIGNS))
    if unknown:
        raise pytest.UsageError(f"--designs: unknown {', '.join(unknown)}; use {DESIGNS}")
    return chosen


class Targets:
    """Starts each target once, when it is first asked for."""

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._open: dict[str, Target | Exception] = {}
        self._exits = ExitStack()

    def get(self, name: str) -> Target:
        """Return a target; one that cannot be had skips the test, or fails it in CI."""
        if name not in self._open:
            self._open[name] = self._try(name)
        target = self._open[name]
        if isinstance(target, Exception):
            complain = pytest.fail if os.environ.get("CI") else pytest.skip
            complain(f"{name} cannot be had: {target}")
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
        except (StartError, OSError) as error:
            return error


@pytest.fixture(scope="session")
def targets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Targets]:
    """All targets, by name."""
    made = Targets(request.config, tmp_path_factory.mktemp("targets"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, targets: Targets) -> Target:
    """One running task queue."""
    return targets.get(request.param)


@pytest.fixture(scope="session")
def client(target: Target) -> Iterator[Client]:
    """A client that calls the target's endpoints in turn."""
    made = Client(target.endpoints)
    yield made
    made.close()


@pytest.fixture(scope="session")
def slots(target: Target) -> int:
    """How many jobs the target runs at once."""
    return target.slots


@pytest.fixture
def unique() -> str:
    """A text that no other test uses."""
    return uuid.uuid4().hex


@pytest.fixture(scope="session")
def stack_a(targets: Targets) -> Stack:
    """A running Design A, shared: leave its processes alone."""
    stack = targets.get("a").stack
    assert stack is not None
    return stack


@pytest.fixture(scope="session")
def stack_b(targets: Targets) -> Stack:
    """A running Design B, shared: leave its processes alone."""
    stack = targets.get("b").stack
    assert stack is not None
    return stack
