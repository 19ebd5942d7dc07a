"""Fixtures of the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import jobs
from tests.support.client import RUNNING, TERMINAL, Client, grpcio_channel
from tests.support.gevent_client import ThreadedChannel
from tests.support.targets import STORED, Target, Targets, chosen_targets

# Who calls: what every client is measured by, and the load generator's own transport.
GRPCIO, GEVENT = "grpcio", "grpc-gevent"
CLIENTS: dict[str, Callable[[str], Any]] = {GRPCIO: grpcio_channel, GEVENT: ThreadedChannel}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes a target against every one that was asked for."""
    names = chosen_targets(metafunc.config)
    if "client" in metafunc.fixturenames:
        pairs = [
            pytest.param(name, client, id=f"{name}-{client}", marks=_marks(name, client))
            for client in CLIENTS
            for name in names
            # Whom a client calls does not know where state is kept.
            if client == GRPCIO or name not in STORED
        ]
        metafunc.parametrize(("target", "client"), pairs, indirect=True, scope="session")
    elif "target" in metafunc.fixturenames:
        targets = [pytest.param(name, id=name, marks=_marks(name)) for name in names]
        metafunc.parametrize("target", targets, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, with a store, what is answered before any state is asked."""
    spared = [item for item in items if item.get_closest_marker("stateless") and _is_stored(item)]
    config.hook.pytest_deselected(items=spared)
    items[:] = [item for item in items if item not in spared]


def _is_stored(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("target") in STORED


def _marks(target: str, client: str = GRPCIO) -> list[pytest.MarkDecorator]:
    needed = [pytest.mark.needs(STORED[target])] if target in STORED else []
    return [*needed, pytest.mark.slow] if client == GEVENT else needed


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, targets: Targets) -> Target:
    """One running task queue."""
    return targets.get(request.param)


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest, target: Target) -> Iterator[Client]:
    """A client that calls the target's endpoints in turn."""
    made = Client(target.endpoints, CLIENTS[request.param])
    yield made
    made.close()


@pytest.fixture(scope="session")
def slots(target: Target) -> int:
    """How many jobs the target runs at once."""
    return target.slots


@pytest.fixture
def busy_slots(client: Client, slots: int) -> Iterator[list[str]]:
    """Ids of long jobs that take every slot until the test has ended."""
    share, rest = divmod(slots, len(client.at))
    assert not rest, "the slots are shared out evenly over the endpoints"
    job_ids = [calls.submit(jobs.sleep(600_000)) for calls in client.at for _ in range(share)]
    for job_id in job_ids:
        client.wait(job_id, RUNNING)
    yield job_ids
    for job_id in job_ids:
        client.cancel(job_id)
    for job_id in job_ids:
        client.wait(job_id, *TERMINAL)
