"""Copies of a PostgreSQL in containers, from which the primary is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.runs.faults import registry
from testbed.runs.faults.servers.roles import resolved
from testbed.stack.runtimes import Runtime
from tests.containers.conftest import running_copies
from tests.support import patroni
from tests.support.patroni import Cluster

pytestmark = pytest.mark.needs("engine")

PORTS = range(50091, 50103)


@pytest.fixture
def cluster(home: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    topology = patroni.topology_on(PORTS)
    with running_copies(runtime, monkeypatch, topology, Cluster) as made:
        yield made


def test_another_copy_takes_over_from_one_that_is_cut_off_and_then_follows(
    cluster: Cluster,
) -> None:
    chosen = registry.get("unplug")
    target = chosen.target(cluster.topology, "postgres/primary")
    hit = resolved(cluster.controls, cluster.topology, target)
    chosen.inject(cluster.controls, hit, {})
    # That one cannot say so: its network is what it has not.
    assert cluster.primary(hit.name) != hit.name
    chosen.heal(cluster.controls, hit)
    cluster.make_whole()
    assert cluster.primary() != hit.name
