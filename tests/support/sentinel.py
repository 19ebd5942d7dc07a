"""Copies of a Redis and its sentinels in a test, as a stack of their own that faults hit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest
from redis import Redis, RedisError

from common.config import SENTINEL
from common.options.redis_ha import COPIES, SENTINELS
from common.services import redis, sentinel
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.stack import records as stacks
from testbed.stack.ports import HOST
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.controls import Controls, process_of
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.support.ports import free_ports
from tests.support.services import open_folder
from tests.support.waiting import eventually

DESIGN, CLUSTER = "fake", "redis"
NAMES = tuple(f"{CLUSTER}-{number}" for number in range(1, COPIES + 1))
WATCHING = sentinel.names(SENTINELS)


class Cluster:
    """Copies of one Redis, of which sentinels make another one the primary."""

    def __init__(self, controls: Controls, topology: Topology) -> None:
        self.controls = controls
        self.topology = topology
        self.peers = {each.name: f"{HOST}:{each.port}" for each in controls.record.processes}

    def client(self, name: str) -> Redis:
        """Return a client of one copy."""
        port = process_of(self.controls.record, name).port
        return Redis(port=port, retry=None, socket_timeout=2, decode_responses=True)

    def primaries(self) -> list[str]:
        """Name the copies that take themselves for the primary; those that do not answer do not."""
        found = []
        for name in NAMES:
            with contextlib.suppress(RedisError), self.client(name) as copy:
                if copy.info("replication")["role"] == "master":
                    found.append(name)
        return found

    def primary(self, *but: str) -> str:
        """Return the only primary, once there is one that is none of these."""
        (name,) = eventually(
            self.primaries,
            lambda found: len(found) == 1 and found[0] not in but,
            within=30,
            what="another primary",
        )
        return name

    def make_whole(self) -> None:
        """Heal what a test has left, until every replica follows the primary."""
        for name in (*WATCHING, *NAMES):
            self.controls.resume(name)
            self.controls.start(name)
        eventually(self._is_whole, within=60, what="replicas that follow")

    def _is_whole(self) -> bool:
        primaries = self.primaries()
        if len(primaries) != 1:
            return False
        try:
            with self.client(primaries[0]) as copy:
                info = copy.info("replication")
        except RedisError:
            return False
        return info["connected_slaves"] == COPIES - 1 and all(
            info[f"slave{number}"]["state"] == "online" for number in range(COPIES - 1)
        )


def topology_on(ports: Sequence[int]) -> Topology:
    """Return the copies and the sentinels of one Redis, on these ports."""
    servers = (
        *redis.copies(CLUSTER, ports[:COPIES], WATCHING),
        *sentinel.sentinels(ports[COPIES:], {CLUSTER: NAMES}),
    )
    return Topology(DESIGN, "copies of a Redis", servers, (NAMES[0],))


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Run the copies and the sentinels of one Redis until the end of the block."""
    topology = topology_on(free_ports(COPIES + SENTINELS))
    runtime = LocalRuntime()
    with open_folder() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv(stacks.HOME_VARIABLE, str(home))
        spec = StackSpec()
        record = runtime.up(topology, spec, silent)
        cluster = Cluster(runtime.controls(record), topology)
        try:
            cluster.make_whole()
            yield cluster
        finally:
            runtime.down(DESIGN, silent)
            assert processes.strays(DESIGN) == []


def settings_of_client(cluster: Cluster) -> dict[str, object]:
    """Return the settings of a process that has its state there."""
    return {"store": "redis", "redis_ha": SENTINEL, "peers": cluster.peers}
