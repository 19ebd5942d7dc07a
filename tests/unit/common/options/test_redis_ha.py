"""A stack with copies of its Redis: who there is, who knows whom, and what it says of itself."""

from __future__ import annotations

import pytest

from common import guarantees
from common.config import ConfigError, Settings
from common.process_spec import DISK, NOTHING, REDIS, SENTINEL
from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.stack import prepare
from testbed.stack.sides.resolve import Deployment, resolve
from tests.support.stores import settings_of

SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
CLUSTERS = {"a": ("redis-job", "redis-queue", "redis-result"), "b": ("redis",)}


def side(design: str, more: str = "") -> Deployment:
    return resolve(f"{design}+store=redis+redis_ha=sentinel{more}", StackSpec())


def copies(cluster: str) -> tuple[str, ...]:
    return tuple(f"{cluster}-{number}" for number in (1, 2, 3))


def settings(found: Deployment) -> dict[str, Settings]:
    filled = prepare.filled(found.scaled, found.spec, prepare.Place())
    return {
        each.name: Settings.from_environment(each.environment) for each in filled if each.is_ours
    }


@pytest.mark.parametrize("design", CLUSTERS)
def test_each_redis_has_three_copies_and_all_of_them_three_sentinels(design: str) -> None:
    servers = [each for each in side(design).topology.processes if not each.is_ours]
    assert {each.name: each.cluster for each in servers} == {
        **{copy: cluster for cluster in CLUSTERS[design] for copy in copies(cluster)},
        **dict.fromkeys(SENTINELS, ""),
    }
    for each in servers:
        watches = each.name in SENTINELS
        assert (each.service, each.holds) == ((SENTINEL, NOTHING) if watches else (REDIS, DISK))
        # What a sentinel knows outlasts it, too.
        assert each.keeps_files
    first = side(design).topology.stores_port
    ports = {each.port for each in servers}
    assert len(ports) == len(servers)
    assert ports <= {*range(first, first + 12)}


@pytest.mark.parametrize("design", CLUSTERS)
def test_who_used_a_redis_knows_its_copies_and_the_sentinels(design: str) -> None:
    before = resolve(f"{design}+store=redis", StackSpec()).topology
    after = settings(side(design))
    for process in (each for each in before.processes if each.is_ours):
        used = [peer for peer in process.peers if peer in CLUSTERS[design]]
        wanted = {peer for peer in process.peers if peer not in used}
        wanted |= {copy for cluster in used for copy in copies(cluster)}
        wanted |= {*SENTINELS} if used else set()
        assert after[process.name].peers.keys() == wanted


def test_the_first_copy_is_the_primary_at_first_and_the_others_follow_it() -> None:
    found = side("b")
    filled = {
        each.name: each.command
        for each in prepare.filled(found.scaled, found.spec, prepare.Place(host_of=str))
    }
    for copy, port in zip(copies("redis"), (50220, 50221, 50222), strict=True):
        own, all_of_them, watching = filled[copy][6:9]
        assert own == f"{copy}:{port}"
        assert all_of_them == "redis-1:50220,redis-2:50221,redis-3:50222"
        assert watching == "sentinel-1:50229,sentinel-2:50230,sentinel-3:50231"
    assert filled["sentinel-2"][-1] == "redis=redis-1:50220,redis-2:50221,redis-3:50222"


@pytest.mark.parametrize("count", ["0", "2"])
def test_a_primary_is_started_with_the_replicas_that_it_has_to_have(count: str) -> None:
    found = side("a", f"+redis_min_replicas={count}")
    for each in prepare.filled(found.scaled, found.spec, prepare.Place()):
        if each.service == REDIS:
            assert each.command[each.command.index("--min-replicas-to-write") + 1] == count


@pytest.mark.parametrize("option", ["redis_wait=1", "redis_min_replicas=1"])
def test_replicas_mean_something_only_where_there_are_some(option: str) -> None:
    with pytest.raises(TestbedError, match="has no meaning without redis_ha=sentinel"):
        resolve(f"a+store=redis+{option}")


def test_three_copies_have_two_replicas_at_most() -> None:
    with pytest.raises(TestbedError, match="redis_wait=3"):
        side("a", "+redis_wait=3")
    with pytest.raises(ConfigError, match="redis_ha must be one of off, sentinel"):
        settings_of(redis_ha="cluster")


@pytest.mark.parametrize(
    ("given", "durability"),
    [
        ({}, "disk"),
        ({"redis_ha": "sentinel"}, "delayed"),
        ({"redis_ha": "sentinel", "redis_min_replicas": 1}, "delayed"),
        ({"redis_ha": "sentinel", "redis_wait": 1}, "replicated"),
    ],
)
def test_a_job_outlasts_a_failover_only_if_a_replica_has_acknowledged_it(
    given: dict[str, object], durability: str
) -> None:
    assert guarantees.of(settings_of(store="redis", **given))["durability"] == durability


def test_off_is_a_stack_as_it_was() -> None:
    plain, off = (resolve(f"a+store=redis{more}", StackSpec()) for more in ("", "+redis_ha=off"))
    assert plain.topology == off.topology
    assert plain.spec.settings == off.spec.settings
