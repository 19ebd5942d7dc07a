"""A cache adds its nodes, and whoever clients call knows them; nothing else changes."""

from __future__ import annotations

import pytest

from common import cache
from common.config import Settings
from common.process_spec import NOTHING
from common.stack_spec import StackSpec
from common.stores.server import servers_of
from testbed.errors import TestbedError
from testbed.stack import prepare
from testbed.stack.sides.resolve import Deployment, resolve

SIDES = ["a", "b", "a+store=redis", "b+store=redis", "a+store=postgres", "b+store=postgres"]


def settings_of(found: Deployment) -> dict[str, Settings]:
    filled = prepare.filled(found.scaled, found.spec, prepare.Place())
    return {
        each.name: Settings.from_environment(each.environment) for each in filled if each.is_ours
    }


@pytest.mark.parametrize("side", [*SIDES, "b+nodes=8"])
def test_those_that_clients_call_know_the_nodes_and_nobody_else_does(side: str) -> None:
    spec = StackSpec(slots=24)
    found, before = resolve(f"{side}+cache=8", spec), resolve(side, spec)
    names = [f"cache-{number}" for number in range(1, 9)]
    made = [each for each in found.scaled.processes if each.name in names]
    assert [each.name for each in made] == names
    for each in made:
        assert each.holds == NOTHING
        assert not each.keeps_files
    used = prepare.port_uses(found.scaled)
    assert len(used) == len(prepare.port_uses(before.scaled)) + len(names)
    own = settings_of(before)
    for name, settings in settings_of(found).items():
        known = cache.nodes_of(settings)
        assert sorted(known) == (names if name in found.scaled.entries else [])
        assert {n: a for n, a in settings.peers.items() if n not in known} == own[name].peers


@pytest.mark.parametrize("side", ["b+store=redis", "b+store=postgres"])
def test_a_node_of_a_cache_is_not_taken_for_a_store(side: str) -> None:
    for settings in settings_of(resolve(f"{side}+cache=3")).values():
        assert servers_of(settings).name == settings.store


@pytest.mark.parametrize("side", SIDES)
def test_no_cache_is_what_there_is_without_the_option(side: str) -> None:
    assert resolve(f"{side}+cache=0").scaled == resolve(side).scaled


@pytest.mark.parametrize("count", ["-1", "9", "many"])
def test_a_number_of_nodes_that_cannot_be_is_refused(count: str) -> None:
    with pytest.raises(TestbedError, match="cache"):
        resolve(f"a+cache={count}")


def test_both_designs_have_room_for_the_ports_of_all_nodes_beside_each_other() -> None:
    used: set[int] = set()
    for design in ("a", "b"):
        ports = set(prepare.port_uses(resolve(f"{design}+cache=8").scaled))
        assert not used & ports
        used |= ports
