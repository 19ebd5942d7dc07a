"""Copies of a Redis in containers: they know each other by names, of which one is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.runs.faults import registry
from testbed.runs.faults.servers.roles import resolved
from testbed.stack.runtimes import Runtime
from tests.containers.conftest import running_copies
from tests.support import sentinel
from tests.support.sentinel import Cluster

pytestmark = pytest.mark.needs("engine")

PORTS = range(50085, 50091)


@pytest.fixture
def cluster(home: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    topology = sentinel.topology_on(PORTS)
    with running_copies(runtime, monkeypatch, topology, Cluster) as made:
        yield made


def test_another_copy_takes_over_from_one_that_is_killed_and_one_that_is_cut_off(
    cluster: Cluster,
) -> None:
    """Nobody stands still for the name of a container that is away, and all come back as replicas.

    What no longer has a network does not notice, and takes itself for the primary on its return.
    """
    for kind in ("kill", "unplug"):
        chosen = registry.get(kind)
        target = chosen.target(cluster.topology, "redis/primary")
        hit = resolved(cluster.controls, cluster.topology, target)
        chosen.inject(cluster.controls, hit, {})
        assert cluster.primary(hit.name) != hit.name
        chosen.heal(cluster.controls, hit)
        cluster.make_whole()
