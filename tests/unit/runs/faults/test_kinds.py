"""What the kinds of fault hit, and what they have done to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common import options
from common.links.fault import Delay, LinkFault
from common.options import Option
from common.options.values import SWITCH
from common.process_spec import DISK, MEMORY
from common.stack_spec import StackSpec
from common.topology import LINKS, ProcessSpec, Topology
from design_a.topology import TOPOLOGY as A
from design_b.topology import TOPOLOGY as B
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults.heal import topology_of
from testbed.runs.faults.kind import CONTAINERS, Kind, Target
from testbed.stack.records import StackRecord
from testbed.stack.sides.resolve import resolve

BOTH = [A, B]
STORE = ProcessSpec("store", port=1, holds=DISK, command=("store",))
CACHE = ProcessSpec("cache", port=2, holds=MEMORY, command=("cache",), peers=("store",))
FOREIGN = Topology("f", "", (STORE, CACHE), ("cache",), links_port=10)
MIXED = replace(
    A,
    processes=(STORE, *(replace(each, peers=(*each.peers, "store")) for each in A.processes)),
)
EVERY = sorted(registry.load().values(), key=lambda kind: kind.name)
# Those that whatever a design is made of can have, and those of servers that the testbed knows.
ALL = [kind for kind in EVERY if not kind.services and not kind.lacking]
OF_SERVERS = [kind for kind in EVERY if kind.services]
CUT = LinkFault(lose_requests=True, lose_answers=True)


class Recorder:
    """Controls that note what is asked of them; ``links`` are the faults that are set."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.links: dict[str, LinkFault] = {}
        self.record = StackRecord("a", "compose", (), {}, (), 12, {"heartbeat_timeout": "4"}, "")

    def set_link(self, caller: str, callee: str, fault: LinkFault) -> None:
        self.links[f"{caller}>{callee}"] = fault

    def clear_link(self, caller: str, callee: str) -> bool:
        return self.links.pop(f"{caller}>{callee}", None) is not None

    def __getattr__(self, verb: str) -> object:
        return lambda *arguments: self.asked.append((verb, *arguments))


def hit(name: str, topology: Topology, target: str, **parameters: float) -> Recorder:
    """Inject a fault and return what it asked for."""
    kind, controls = registry.get(name), Recorder()
    kind.inject(controls, kind.target(topology, target), kind.read(parameters))  # type: ignore[arg-type]
    return controls


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize("topology", [A, B, A.scaled(3), A.linked(), B.linked()], ids=str)
def test_every_target_is_known_by_its_name_and_what_holds_no_state_comes_first(
    kind: Kind, topology: Topology
) -> None:
    found = kind.targets(topology)
    assert found
    assert len({each.name for each in found}) == len(found)
    stateful = [each.stateful for each in found]
    assert stateful == sorted(stateful)
    for each in found:
        assert LINKS not in each.affected
        assert kind.target(topology, each.name) == each
        assert kind.target(topology, each.name.replace(">", ":")) == each


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
@pytest.mark.parametrize("topology", BOTH, ids=lambda topology: topology.design)
def test_what_is_broken_can_be_healed_twice(kind: Kind, topology: Topology) -> None:
    for target in kind.targets(topology):
        controls = Recorder()
        kind.inject(controls, target, kind.read({}))  # type: ignore[arg-type]
        assert controls.links or controls.asked
        for _ in range(2):
            kind.heal(controls, target)  # type: ignore[arg-type]
        assert controls.links == {}


def test_only_the_end_of_a_process_that_holds_state_loses_it() -> None:
    losing = {kind.name for kind in ALL if kind.loses_state}
    assert losing == {"kill", "restart"}
    kill = registry.get("kill")
    holders = {each.name for each in kill.targets(A) if kill.lost_state(each)}
    assert holders == {"job", "queue", "result"}
    assert all(kill.lost_state(each) == (each.name,) for each in kill.targets(B))
    assert registry.get("pause_long").lost_state(Target("job", ("job",), True)) == ()


def test_cut_between_two_nodes_is_one_of_both_links() -> None:
    assert hit("cut", A, "gateway:job").links == {"gateway>job": CUT}
    assert hit("cut", B, "node-0:node-1").links == {"node-0>node-1": CUT, "node-1>node-0": CUT}
    assert len(registry.get("cut").targets(B)) == 15


def test_cut_in_one_direction_takes_what_is_sent_that_way_whatever_it_is() -> None:
    requests, answers = LinkFault(lose_requests=True), LinkFault(lose_answers=True)
    assert hit("cut_requests", A, "gateway:job").links == {"gateway>job": requests}
    assert hit("cut_answers", A, "gateway:job").links == {"gateway>job": answers}
    assert hit("cut_requests", B, "node-0:node-1").links == {
        "node-0>node-1": requests,
        "node-1>node-0": answers,
    }
    one = hit("cut_answers", B, "node-0:node-1").links
    assert one == hit("cut_requests", B, "node-1:node-0").links


def test_delay_and_repeat_reach_one_link_those_of_a_process_or_all() -> None:
    one = hit("delay", A, "gateway:job", request_ms=20, answer_ms=30, random_ms=40, seed=5)
    late = LinkFault(delay_requests=Delay(0.02, 0.04), delay_answers=Delay(0.03, 0.04), seed=5)
    assert one.links == {"gateway>job": late}
    around = hit("repeat", A, "coordinator", part=1, within_ms=100).links
    assert set(around) == {
        "worker>coordinator",
        "coordinator>job",
        "coordinator>queue",
        "coordinator>result",
    }
    assert set(around.values()) == {LinkFault(repeat_part=1, repeat_within=0.1, seed=1)}
    assert len(hit("repeat", B, "all").links) == 30


def test_pauses_are_shorter_and_longer_than_the_heartbeat_timeout() -> None:
    record = Recorder().record
    assert (
        registry.get("pause_short").seconds(record) < 4 < registry.get("pause_long").seconds(record)
    )


def test_process_is_killed_stopped_paused_isolated_and_its_clock_set() -> None:
    assert hit("kill", A, "worker").asked == [("kill", "worker")]
    assert hit("restart", A, "worker").asked == [("stop", "worker")]
    assert hit("pause_long", A, "worker").asked == [("pause", "worker")]
    assert hit("isolate", A, "worker").asked == [("isolate", "worker")]
    assert hit("clock", A, "worker", jump_s=-60).asked == [("set_clock", "worker", -60)]


@pytest.mark.parametrize("text", ["", "x", "nan", "-1", "60001"])
def test_parameter_that_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(TestbedError, match=f"request_ms={text}: must be a number from 0 to 60000"):
        registry.get("delay").read({"request_ms": text})


def test_links_have_ports_of_their_own_beside_those_of_twenty_workers() -> None:
    largest = [A.scaled(20).linked(), B.linked()]
    ports = [
        port
        for topology in largest
        for each in topology.processes
        for port in (each.port, each.metrics_port)
    ]
    ports += [link.port for topology in largest for link in topology.links]
    assert len(set(ports)) == len(ports)
    # That of the figures of a load.
    assert 51070 not in ports


def test_linked_processes_call_the_proxy_and_the_proxy_calls_them() -> None:
    linked = StackSpec(links=True, workers=2).scaled(A)
    way = next(link for link in linked.links if str(link) == "worker-2>coordinator")
    hosts = linked.environment("worker-2", 12, {}, host_of=str)
    assert hosts["TASKQUEUE_PEERS"] == f"coordinator=links:{way.port}"
    assert "TASKQUEUE_LINKS" not in hosts
    proxy = linked.environment(LINKS, 12, {}, host_of=str, bind="0.0.0.0")
    assert "coordinator=coordinator:50055" in proxy["TASKQUEUE_PEERS"].split(",")
    assert f"{way}=0.0.0.0:{way.port}" in proxy["TASKQUEUE_LINKS"].split(",")
    assert linked.calls("worker-2") == ("coordinator", LINKS)
    assert A.calls("worker") == ("coordinator",)


def test_design_without_a_block_of_ports_has_no_links() -> None:
    bare = replace(A, design="c", links_port=0)
    with pytest.raises(ValueError, match="design c has no ports for links"):
        StackSpec(links=True).scaled(bare)


def test_process_that_is_not_ours_can_be_ended_and_paused_and_nothing_else() -> None:
    assert {kind.name for kind in ALL if kind.targets(FOREIGN)} == {
        *("kill", "restart", "pause_short", "pause_long", "unplug")
    }
    for kind in ALL:
        names = {each.name for each in kind.targets(MIXED)}
        assert ("store" in names) == (kind.needs in {"", CONTAINERS}), kind.name
        assert not any("store" in name for name in names if ">" in name)


def test_what_a_process_keeps_on_disk_is_not_lost_with_it() -> None:
    kill = registry.get("kill")
    assert kill.lost_state(kill.target(FOREIGN, "store")) == ()
    assert kill.lost_state(kill.target(FOREIGN, "cache")) == ("cache",)


def test_process_that_an_option_adds_is_hit_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = Option(
        name="store",
        about="where jobs are kept",
        values=SWITCH,
        default="off",
        apply=lambda topology, spec, _: (
            replace(topology, processes=(STORE, *topology.processes)),
            spec,
        ),
    )
    monkeypatch.setattr(options, "load", lambda: {"store": added})
    up = StackRecord("a", "local", (), {}, (), 12, {}, "", side="a+store=on")

    assert registry.get("kill").target(topology_of(up), "store").affected == ("store",)
    assert topology_of(replace(up, side="")) == A


@pytest.mark.parametrize("kind", OF_SERVERS, ids=lambda kind: kind.name)
def test_fault_of_a_server_finds_it_under_any_name_and_nothing_else(kind: Kind) -> None:
    found = set()
    for side in ("a+store=redis", "a+store=postgres", "b+store=redis", "b+store=postgres+cache=1"):
        topology = resolve(side).topology
        served = [each.name for each in topology.processes if each.service in kind.services]
        assert [each.name for each in kind.targets(topology)] == served
        found |= set(served)
    assert found
    stores = {"redis", "redis-job", "redis-queue", "redis-result", "postgres"}
    assert found <= stores | {"cache-1"}
    with pytest.raises(TestbedError, match="cannot hit 'store' in design f") as refused:
        kind.target(FOREIGN, "store")
    assert "the design has no " in refused.value.hint


@pytest.mark.parametrize(
    ("design", "clusters"), [("a", {"redis-job", "redis-queue", "redis-result"}), ("b", {"redis"})]
)
def test_primaries_and_replicas_are_hit_where_there_are_copies(
    design: str, clusters: set[str]
) -> None:
    topology = resolve(f"{design}+store=redis+redis_ha=sentinel").topology
    alone = {each.name for each in registry.get("kill_alone").targets(topology)}
    assert alone == {f"{cluster}/primary" for cluster in clusters}
    killed = {each.name for each in registry.get("kill").targets(topology) if "/" in each.name}
    assert killed == alone | {f"{cluster}/replica" for cluster in clusters}
    with pytest.raises(TestbedError) as refused:
        registry.get("kill_alone").target(A, "redis/primary")
    assert "no server of which there are copies" in refused.value.hint


@pytest.mark.parametrize("runtime", ["local", "compose"])
def test_only_a_container_can_be_taken_off_its_network(runtime: str) -> None:
    controls, kind = Recorder(), registry.get("unplug")
    controls.record = replace(controls.record, runtime=runtime)
    target = kind.target(MIXED, "store")
    if runtime == "compose":
        kind.inject(controls, target, {})  # type: ignore[arg-type]
        assert controls.asked == [("isolate", "store")]
    else:
        with pytest.raises(TestbedError, match="store is a local process") as refused:
            kind.inject(controls, target, {})  # type: ignore[arg-type]
        assert "pause_long" in refused.value.hint


@pytest.mark.parametrize("kind", ["cut", "isolate", "delay", "clock"])
def test_fault_that_a_process_cannot_have_is_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(TestbedError, match=f"{kind} cannot hit 'store' in design f") as refused:
        registry.get(kind).target(FOREIGN, "store")
    assert "processes of ours" in refused.value.hint


def test_whoever_has_a_role_in_a_cluster_can_be_hit() -> None:
    copies = tuple(replace(STORE, name=f"store-{number}", cluster="store") for number in (1, 2))
    topology = replace(FOREIGN, processes=copies)
    names = [each.name for each in registry.get("kill").targets(topology)]
    assert names == ["store-1", "store-2", "store/primary", "store/replica"]
    target = registry.get("kill").target(topology, "store/primary")
    assert target.affected == ("store-1", "store-2")
