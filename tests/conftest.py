"""Options and fixtures of the tests that call a running task queue."""

from __future__ import annotations

import signal
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import needs, parallel
from tests.support.homes import default_ports_kept
from tests.support.stacks import SLOTS, Stack
from tests.support.targets import DESIGNS, STORED, Targets, chosen_targets

# Pages that tests open are on this machine, and no proxy of the environment can get them.
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))

# How long a generated case takes says something of the machine alone.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# Who runs the tests in the background of a script has it ignored, and what they interrupt with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.assignments", "tests.support.trials"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what the contract suite runs against."""
    group = parser.getgroup("taskqueue")
    group.addoption(
        "--designs",
        default=",".join((*DESIGNS, *STORED)),
        help="what to test, from %(default)s (default: all)",
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
    """Refuse unknown targets before anything is collected, and keep the ports of stacks."""
    chosen_targets(config)
    if not parallel.is_worker():
        kept = ExitStack()
        kept.enter_context(default_ports_kept())
        config.add_cleanup(kept.close)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> parallel.Scheduler:
    """Keep together what shares something."""
    return parallel.Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check what runs beside what; with --target, leave out all but the contract suite."""
    parallel.check(items)
    if not config.getoption("--target"):
        return
    suite = Path(__file__).parent / "contract"
    kept = [item for item in items if item.path.is_relative_to(suite)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out, or fail, a test that needs what is not there."""
    needs.check(item)


@pytest.fixture(scope="session")
def targets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Targets]:
    """All targets, by name."""
    made = Targets(request.config, tmp_path_factory.mktemp("targets"))
    yield made
    made.close()


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
