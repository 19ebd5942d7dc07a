"""Fault plans: read as a whole, refused as a whole, and the same schedule for the same seed."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from testbed.drive import plan_reader
from testbed.drive.plan_reader import PlanError, PlanSource
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults import run as runner
from testbed.runs.faults.plan import FaultPlan, PlannedFault
from testbed.runs.faults.planfile import FOLDER, changed, parse
from testbed.stack import designs
from testbed.stack.records import project_root
from testbed.stack.sides.resolve import resolve

HEAD = 'name = "x"\n'
DRAW = HEAD + "[draw]\n"
READY = (
    *("cache", "database", "durable", "durable-short", "failover-postgres", "failover-redis"),
    *("held-snapshot", "quick", "short", "soak", "state", "stateless"),
)


def plan_of(text: str) -> FaultPlan:
    return parse(tomllib.loads(text), PlanSource("x.toml"), ("noop", "sleep"))


def schedule_of(plan: FaultPlan, design: str) -> tuple[PlannedFault, ...]:
    return plan.schedule(resolve(design, plan.base))


@pytest.mark.parametrize("name", READY)
def test_every_ready_plan_can_be_carried_out_on_both_designs(name: str) -> None:
    plan = runner.read(project_root(), name, {})
    assert plan.name == name
    for side in plan.sides:
        schedule = schedule_of(plan, side)
        assert schedule
        for each in schedule:
            registry.get(each.kind).target(resolve(side).topology, each.target)


@pytest.mark.parametrize("design", ["a", "b"])
@pytest.mark.parametrize("name", READY)
def test_a_ready_plan_can_be_carried_out_on_one_design_alone(name: str, design: str) -> None:
    sides = [side for side in runner.read(project_root(), name, {}).sides if side[0] == design]
    plan = runner.read(project_root(), name, {"sides": ",".join(sides[-1:])})
    assert plan.sides == tuple(sides[-1:])
    assert schedule_of(plan, sides[-1])


def test_ready_plans_are_these() -> None:
    found = {path.stem for path in (project_root() / FOLDER).glob("*.toml")}
    assert found == set(READY)


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_plan_that_names_targets_of_both_designs_can_be_run_on_one(design: str) -> None:
    plan = runner.read(project_root(), "quick", {"sides": design})
    assert plan.sides == (design,)
    assert plan.schedule(resolve(design))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[draw]\ncount = 3", "x.toml: name: is missing"),
        (HEAD, "give either [draw]"),
        (DRAW + '[[faults]]\nkind = "kill"\na = "worker"', "give either [draw]"),
        (HEAD + "secnds = 3\n[draw]", "secnds: unknown key; did you mean seconds?"),
        (HEAD + "seconds = 0\n[draw]", "seconds: 0 is not possible"),
        (DRAW + "cout = 3", "[draw] cout: unknown key; did you mean count?"),
        (DRAW + "count = 0", "[draw] count: 0 is not possible"),
        (DRAW + 'kinds = ["kil"]', "there is no kind of fault 'kil'; did you mean kill?"),
        (DRAW + 'parts = "statless"', "did you mean stateless?"),
        (HEAD + 'sides = ["c"]\n[draw]', "there is no design 'c'"),
        (HEAD + 'sides = ["a", "a"]\n[draw]', "each side once"),
        (HEAD + "[draw]\n[traffic]\nrate = 10\nusers = 3", "[traffic] users: does not go"),
        (HEAD + "[draw]\n[settings]\nleas = 3", "unknown settings: leas"),
        (HEAD + '[[faults]]\na = "worker"', "there is no kind of fault None"),
        (HEAD + '[[faults]]\nkind = "kill"', "names no target"),
        (HEAD + '[[faults]]\nkind = "kill"\na = "wrker"', "kill cannot hit 'wrker' in design a"),
        (
            HEAD + '[[faults]]\nkind = "kill"\na = "worker"\nx = "y"',
            "[faults 1] x: must be a number",
        ),
        (HEAD + '[[faults]]\nkind = "kill"\na = "worker"\nx = 1', "unknown parameter: x"),
        (HEAD + "faults = 3", "must be tables [[faults]]"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(text)
    assert message in str(caught.value)


def test_all_that_is_wrong_is_reported_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        plan_of("seconds = 0\nhealth = 0\n[draw]\ncount = 0")
    assert len(str(caught.value).splitlines()) == 4


def test_equal_seeds_break_the_same_in_the_same_order_and_others_do_not() -> None:
    first, again = (plan_of("seed = 7\n" + DRAW + "count = 50") for _ in range(2))
    other = plan_of("seed = 8\n" + DRAW + "count = 50")
    for design in ("a", "b"):
        assert schedule_of(first, design) == schedule_of(again, design)
        assert schedule_of(first, design) != schedule_of(other, design)


@pytest.mark.parametrize("design", ["a", "b"])
def test_kinds_take_turns(design: str) -> None:
    counts = Counter(each.kind for each in schedule_of(plan_of(DRAW + "count = 100"), design))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("design", ["a", "b"])
@pytest.mark.parametrize("parts", ["stateless", "stateful"])
def test_parts_decide_whether_memory_is_lost(design: str, parts: str) -> None:
    topology = designs.load(design)
    plan = plan_of(DRAW + f'count = 100\nparts = "{parts}"')
    losses = [
        registry.get(each.kind).lost_state(registry.get(each.kind).target(topology, each.target))
        for each in plan.schedule(resolve(design))
    ]
    assert all(losses) if parts == "stateful" else not any(losses)


def test_a_design_without_a_target_is_named() -> None:
    plan = plan_of(DRAW + 'kinds = ["kill"]\nparts = "stateless"')
    assert {each.target for each in schedule_of(plan, "a")} == {"coordinator", "gateway", "worker"}
    with pytest.raises(TestbedError, match="design b has no target for kill on stateless parts"):
        schedule_of(plan, "b")


def test_named_faults_come_in_their_order_with_a_target_in_each_design() -> None:
    plan = plan_of(
        HEAD + '[[faults]]\nkind = "kill"\na = "worker"\nb = "node-1"\n'
        '[[faults]]\nkind = "pause_long"\na = "gateway"\n'
    )
    assert [each.title for each in schedule_of(plan, "a")] == ["kill worker", "pause_long gateway"]
    assert [each.title for each in schedule_of(plan, "b")] == ["kill node-1"]


def test_a_fault_of_a_server_is_of_the_sides_that_have_it_and_lasts_as_long_as_it_says() -> None:
    plan = plan_of(
        HEAD + 'sides = ["a+store=redis", "a+store=postgres"]\nlead = 1\n'
        '[[faults]]\nkind = "old_snapshot"\na = "postgres"\nseconds = 60\nhealth = 30\n'
        '[[faults]]\nkind = "kill"\na = "worker"\n'
        '[[faults]]\nkind = "maxmemory"\na = "redis-queue"\nleft_kib = 10\n'
    )
    redis, postgres = (plan.schedule(each) for each in plan.deployments())
    assert [each.title for each in redis] == ["kill worker", "maxmemory redis-queue"]
    assert [each.title for each in postgres] == ["old_snapshot postgres", "kill worker"]
    assert [each.number for each in redis] == [1, 2]
    assert plan.drive_seconds(postgres) == 1 + 60 + 30 + plan.seconds + plan.health
    with pytest.raises(PlanError, match=r"faults 1\] a: maxmemory cannot hit 'postgres'"):
        plan_of(HEAD + 'sides = ["a"]\n[[faults]]\nkind = "maxmemory"\na = "postgres"')


def test_only_containers_are_taken_off_their_network_at_random() -> None:
    text = DRAW + "count = 50\nparts = 'any'"
    kinds = {
        runtime: {
            each.kind for each in schedule_of(plan_of(f'runtime = "{runtime}"\n' + text), "a")
        }
        for runtime in ("local", "compose")
    }
    assert "unplug" not in kinds["local"]
    assert "unplug" in kinds["compose"]


def test_what_is_not_started_here_and_what_no_fault_names_is_not_hit() -> None:
    named = plan_of(HEAD + '[[faults]]\nkind = "kill"\na = "worker"')
    assert named.hits("a")
    assert not named.hits("b")
    drawn = plan_of(DRAW + "count = 3")
    assert drawn.hits("b")
    assert not drawn.hits("")


def test_of_several_workers_the_first_is_meant() -> None:
    plan = plan_of(HEAD + '[[faults]]\nkind = "kill"\na = "worker"')
    (fault,) = plan.schedule(resolve("a+workers=3"))
    assert fault.target == "worker-1"


def test_stacks_are_started_with_what_the_faults_need() -> None:
    cutting, _ = plan_of(DRAW + 'count = 2\nkinds = ["kill", "cut"]').deployments()
    assert (cutting.spec.links, cutting.spec.clock) == (True, False)
    one = 'sides = ["a"]\n' + DRAW + 'kinds = ["kill"]'
    (plain,) = plan_of(one).deployments()
    assert not plain.spec.links


def test_the_wall_clock_is_left_alone_in_containers_unless_asked_for() -> None:
    for runtime, there in (("local", True), ("compose", False)):
        plan = plan_of(f'runtime = "{runtime}"\n' + DRAW + "count = 60")
        assert ("clock" in {each.kind for each in schedule_of(plan, "a")}) == there


def test_changes_are_made_by_key_and_by_table() -> None:
    data = tomllib.loads(DRAW + "count = 3")
    plan = parse(
        changed(data, {"draw.count": 9, "rate": 20, "sides": "a", "settings.lease": 10}),
        PlanSource("x.toml"),
        ("sleep",),
    )
    assert plan.drawn is not None
    assert (plan.drawn.count, plan.traffic.rate, plan.sides) == (9, 20, ("a",))
    assert plan.settings == {"lease": "10"}
    with pytest.raises(PlanError, match="--set lese: a plan has no such key"):
        changed(data, {"lese": 1})


def test_a_plan_is_found_by_name_or_path_and_the_others_are_named(tmp_path: Path) -> None:
    plans = project_root() / FOLDER
    assert plan_reader.find(plans, "quick").name == "quick.toml"
    assert plan_reader.find(tmp_path, "some/where.toml") == Path("some/where.toml").resolve()
    with pytest.raises(TestbedError, match="did you mean quick"):
        plan_reader.find(plans, "quik")
