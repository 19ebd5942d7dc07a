"""A stack of equal nodes is as large as it was, over however many nodes it is spread."""

from __future__ import annotations

import pytest

from common.config import Settings
from common.stack_spec import StackSpec
from testbed.errors import TestbedError
from testbed.stack import designs, prepare
from testbed.stack.sides.resolve import Deployment, resolve

COUNTS = [4, 5, 6, 7, 8]


def settings_of(found: Deployment) -> dict[str, Settings]:
    filled = prepare.filled(found.scaled, found.spec, prepare.Place())
    return {
        each.name: Settings.from_environment(each.environment) for each in filled if each.is_ours
    }


def side(count: int, more: str = "") -> Deployment:
    return resolve(f"b+nodes={count}{more}", StackSpec(slots=2 * count))


@pytest.mark.parametrize("count", COUNTS)
def test_each_node_has_a_home_and_ports_of_its_own_and_knows_all_others(count: int) -> None:
    found = side(count)
    names = [f"node-{number}" for number in range(count)]
    assert [each.name for each in found.scaled.processes] == names
    assert [each.home for each in found.scaled.processes] == [*range(count)]
    assert len(found.scaled.endpoints()) == count
    for name, settings in settings_of(found).items():
        assert sorted([name, *settings.peers]) == names


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("limit", ["max_queued_jobs", "max_queued_bytes"])
def test_the_queues_of_all_nodes_have_the_limits_of_the_one_queue_of_design_a(
    count: int, limit: str
) -> None:
    shares = [getattr(each, limit) for each in settings_of(side(count)).values()]
    assert sum(shares) == getattr(settings_of(resolve("a"))["queue"], limit)
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("store", ["redis", "postgres"])
def test_nodes_that_share_a_store_have_its_limits_whole(store: str) -> None:
    found = settings_of(side(7, f"+store={store}"))
    assert {each.max_queued_jobs for each in found.values()} == {Settings.max_queued_jobs}
    assert {name for each in found.values() for name in each.peers} == {store}
    assert len(found) == 7


def test_a_limit_that_is_asked_for_is_shared_out_over_as_many_as_there_are() -> None:
    assert side(7, "+max_queued_jobs=700").spec.settings == {"max_queued_jobs": "100"}


def test_as_many_nodes_as_there_are_change_nothing() -> None:
    assert resolve("b+nodes=6").topology == designs.load("b")


@pytest.mark.parametrize("count", [5, 7, 8])
def test_slots_that_so_many_nodes_cannot_share_out_are_refused_with_what_they_can(
    count: int,
) -> None:
    with pytest.raises(TestbedError, match=f"12 slots .* give a multiple of {count}"):
        resolve(f"b+nodes={count}")


def test_a_design_without_equal_nodes_is_not_spread_over_more() -> None:
    with pytest.raises(TestbedError, match="design a has no equal nodes"):
        resolve("a+nodes=4")


@pytest.mark.parametrize("count", COUNTS)
def test_ports_of_nodes_and_links_do_not_meet_those_of_design_a(count: int) -> None:
    mine = prepare.port_uses(side(count, "+links=on").scaled)
    others = prepare.port_uses(resolve("a+links=on+workers=12").scaled)
    assert len(mine) == 2 * count + 2 + count * (count - 1)
    assert not mine.keys() & others.keys()
