"""Options and fixtures of the tests that call a running task queue."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.client import Client
from tests.support.stacks import SLOTS, Stack
from tests.support.targets import DESIGNS, Target, Targets, chosen_targets


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


def pytest_configure(config: pytest.Config) -> None:
    """Refuse unknown designs before anything is collected."""
    chosen_targets(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --target, leave out all that does not call it."""
    if not config.getoption("--target"):
        return
    calls = [item for item in items if "target" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in calls])
    items[:] = calls


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes a target against every one that was asked for."""
    if "target" in metafunc.fixturenames:
        metafunc.parametrize(
            "target", chosen_targets(metafunc.config), indirect=True, scope="session"
        )


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
