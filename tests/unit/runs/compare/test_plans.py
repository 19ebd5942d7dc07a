from __future__ import annotations

import random
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from testbed.drive import plan_reader
from testbed.drive.plan_reader import PlanError, PlanSource
from testbed.drive.traffic import Traffic
from testbed.runs.compare import overrides, planfile, schedule
from testbed.runs.compare.plan import Plan
from testbed.stack.records import project_root
from tests.support.paths import ROOT

KINDS = ("noop", "sleep")
SMALL = """
name = "small"
sides = ["a", "b"]
"""
READY = (
    *("quick", "baseline", "concurrency", "duration", "mix"),
    *("worker_scaling", "high_load", "stress", "aa", "careful"),
)


def parse(text: str) -> Plan:
    return planfile.parse(tomllib.loads(text), PlanSource("x.toml"), KINDS)


def test_plan_of_two_lines_has_defaults() -> None:
    plan = parse(SMALL)
    assert plan == Plan("small")
    assert len(plan.cells()) == 1


def test_cross_product_of_the_levels_makes_the_cells() -> None:
    plan = parse(SMALL + "[factors]\nusers = [5, 10]\njob_ms = [1, 2.5, 3]\nslots = [6]")
    cells = plan.cells()
    assert [tuple(cell.factors.values()) for cell in cells] == [
        (users, ms, 6) for users in (5, 10) for ms in (1, 2.5, 3)
    ]
    assert (cells[4].traffic.users, cells[4].traffic.job_ms, cells[4].spec.slots) == (10, 2.5, 6)


def test_sides_are_written_in_one_way_however_they_are_given() -> None:
    plan = parse('name = "x"\nsides = ["A", "b+slots=24+lease=10", "a@HEAD~3", "10.0.0.5:50051"]')
    assert plan.sides == ("a", "b+lease=10+slots=24", "a@HEAD~3", "10.0.0.5:50051")
    assert plan.designs == ("a", "b")
    assert plan.trials == 2 * 4 * plan.blocks
    (cell,) = plan.cells()
    assert cell.sides == plan.sides


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('sides = ["a", "b"]', "x.toml: name: is missing"),
        ('name = "x"', "x.toml: sides: is missing"),
        (SMALL + "bloks = 3", "x.toml: bloks: unknown key; did you mean blocks?"),
        (SMALL + "[traffic]\nuser = 3", "x.toml: [traffic] user: unknown key; did you mean users?"),
        (SMALL + "[limits]\nmiss = 1", "x.toml: [limits] miss: unknown key"),
        (SMALL + "[factors]\nseed = [1]", "x.toml: [factors] seed: is no factor"),
        (SMALL + "[factors]\nusers = []", "x.toml: [factors] users: is empty"),
        (SMALL + "[factors]\nusers = 5", "x.toml: [factors] users: is empty"),
        (SMALL + "[factors]\nusers = [5, 5]", "x.toml: [factors] users: a level is given twice"),
        (SMALL + "[factors]\nusers = [5, 0]", "[factors] users: 0 is not possible"),
        (SMALL + "[factors]\nusers = [1.5]", "[factors] users: 1.5 is not a whole number"),
        (SMALL + "[traffic]\nusers = 5\n[factors]\nusers = [5]", "users: is given in [traffic]"),
        (SMALL + "slots = 6\n[factors]\nslots = [6]", "[factors] slots: is given as slots too"),
        (SMALL + "[traffic]\nrate = 5\nusers = 5", "[traffic] users: belongs to a closed loop"),
        (SMALL + "[traffic]\nmax_in_flight = 5", "max_in_flight: belongs to an open loop"),
        (SMALL + '[traffic]\nkind = "juggle"', "[traffic] kind: there is no 'juggle'"),
        (SMALL + "blocks = 0", "x.toml: blocks: 0 is not possible: must be from 1"),
        (SMALL + "duration = nan", "x.toml: duration: nan is not possible"),
        (SMALL + "seed = true", "x.toml: seed: True is not a whole number"),
        (SMALL + "traffic = 5", "x.toml: traffic: must be a table"),
        ('name = "x"\nsides = ["a", "zebra"]', "sides: side 'zebra': there is no design 'zebra'"),
        ('name = "x"\nsides = ["a", "b+lease"]', "sides: side 'b+lease': 'lease' is no OPTION=V"),
        ('name = "x"\nsides = ["a", 5]', "sides: side '' names no design"),
        ('name = "x"\nsides = ["a"]', "give it twice for the noise of this machine, ['a', 'a']"),
        ('name = "x"\nsides = "a"', "sides: 'a' is not a list of two sides or more"),
        (f'name = "x"\nsides = {["a"] * 13}', "sides: are 13, more than 12"),
        ('name = "../x"\nsides = ["a", "b"]', "x.toml: name: '../x'"),
        ('name = "latest"\nsides = ["a", "b"]', "'latest' is taken"),
        (SMALL + "[stop]\nhalf_width = 0.1", "[stop] metrics: is empty"),
        (SMALL + '[stop]\nmetrics = ["x"]', "[stop] metrics: there is no metric 'x'"),
        (
            SMALL + 'blocks = 3\n[stop]\nmetrics = ["completion_p50_ms"]\nmin_blocks = 4',
            "[stop] min_blocks: 4 is more than the 3 blocks",
        ),
        (SMALL + "[[thresholds]]\nmax = 1", "[thresholds 1] metric: is missing"),
        (
            SMALL + '[[thresholds]]\nmetric = "completion_p99_ms"',
            "[thresholds 1]: has neither min nor max",
        ),
        (
            SMALL + '[[thresholds]]\nmetric = "jobs_lost"\nmax = 1\nside = "c"',
            "[thresholds 1] side: there is no 'c'",
        ),
        (
            SMALL + '[[thresholds]]\nmetric = "jobs_lost"\nmax = 1\nside = "a"\nratio = true',
            "[thresholds 1] side: a is the reference: name another",
        ),
        (
            SMALL + "blocks = 1000\n[factors]\nusers = [1, 2, 3, 4, 5, 6]",
            "factors: make 24,000 trials",
        ),
    ],
)
def test_impossible_plan_is_refused_by_file_table_and_key(text: str, named: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse(text)
    assert named in str(caught.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        parse(SMALL + "blocks = 0\nwarmup = -1\n[traffic]\nusers = 0")
    assert len(str(caught.value).splitlines()) == 3


def test_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("name = ")
    with pytest.raises(PlanError, match=r"x\.toml"):
        plan_reader.load(tmp_path / "x.toml")


def test_plan_is_found_by_its_name_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / planfile.FOLDER
    folder.mkdir()
    (folder / "one.toml").write_text('name = "first"')
    assert plan_reader.find(folder, "first") == folder / "one.toml"
    with pytest.raises(PlanError, match="did you mean first"):
        plan_reader.find(folder, "frist")
    (folder / "two.toml").write_text('name = "first"')
    with pytest.raises(PlanError, match=r"one\.toml.*two\.toml"):
        plan_reader.find(folder, "first")


@pytest.mark.parametrize("name", READY)
def test_ready_plan_can_be_carried_out(name: str) -> None:
    path = ROOT / planfile.FOLDER / f"{name}.toml"
    plan = planfile.parse(plan_reader.load(path), PlanSource(str(path)), KINDS)
    assert plan.name == name
    assert plan.about


def test_quick_plan_leaves_time_for_its_faults_within_seven_minutes() -> None:
    path = ROOT / planfile.FOLDER / "quick.toml"
    assert planfile.parse(plan_reader.load(path), PlanSource(str(path)), KINDS).seconds() < 375


def test_recorded_plan_is_read_back_as_it_was() -> None:
    plan = parse(
        SMALL + "slots = 6\n[traffic]\nrate = 10\n[factors]\njob_ms = [1, 2]\n"
        '[stop]\nmetrics = ["completion_p50_ms"]\n'
        '[[thresholds]]\nmetric = "completion_p99_ms"\nside = "b"\nmax = 50\n'
    )
    data = plan.as_data()
    assert planfile.parse(data, PlanSource("recorded"), KINDS) == plan


@pytest.mark.parametrize(
    ("pair", "changed"),
    [
        ("users=7", {"traffic": {"users": 7}}),
        ("users=5,10", {"factors": {"users": [5, 10]}}),
        ("blocks=3", {"blocks": 3}),
        ("mix=submit=1,list=1", {"traffic": {"mix": "submit=1,list=1"}}),
        ("kind=noop,sleep", {"factors": {"kind": ["noop", "sleep"]}}),
        ("sides=a,a", {"sides": ["a", "a"]}),
        ("limits.offered_miss=0.1", {"limits": {"offered_miss": 0.1}}),
        ("rate=50", {"traffic": {"rate": 50}}),
    ],
)
def test_option_changes_a_key_of_the_plan(pair: str, changed: dict[str, Any]) -> None:
    assert overrides.apply({}, plan_reader.changes_from([pair])) == changed


def test_fewer_blocks_than_the_earliest_stop_leave_none() -> None:
    data = {"blocks": 5, "stop": {"metrics": ["completion_p50_ms"], "min_blocks": 3}}
    assert overrides.apply(data, {"blocks": 2}) == {"blocks": 2}
    assert overrides.apply(data, {"blocks": 3}) == {**data, "blocks": 3}


def test_rate_makes_an_open_loop_of_a_plan_of_users() -> None:
    data = {"factors": {"users": [1, 2]}, "traffic": {"think_time": 0.1}}
    assert overrides.apply(data, {"rate": 50}) == {"factors": {}, "traffic": {"rate": 50}}


@pytest.mark.parametrize("pair", ["blocks", "=3", "bloks=3", "traffic.users.x=3"])
def test_option_that_changes_nothing_known_is_refused(pair: str) -> None:
    with pytest.raises(PlanError, match="--set"):
        overrides.apply({}, plan_reader.changes_from([pair]))


def schedule_of(
    blocks: int, seed: int = 1, sides: tuple[str, ...] = ("a", "b", "a+lease=10")
) -> tuple[schedule.TrialPlan, ...]:
    traffic = Traffic(seed=seed)
    return schedule.make(
        Plan("x", sides=sides, blocks=blocks, traffic=traffic, factors={"users": (1, 2, 3)})
    )


def test_every_block_runs_the_sides_of_every_cell_in_an_order_and_in_its_mirror() -> None:
    trials = schedule_of(4)
    assert len(trials) == 4 * 3 * 6
    for start in range(0, len(trials), 6):
        run = trials[start : start + 6]
        assert len({(each.block, each.cell.index) for each in run}) == 1
        assert [each.position for each in run] == [1, 2, 3, 4, 5, 6]
        order = [each.side for each in run]
        assert order == order[::-1]
        assert sorted(order[:3]) == [0, 1, 2]


def test_trials_have_names_of_their_own_and_sort_in_their_order() -> None:
    trials = schedule_of(2)
    assert len({each.key for each in trials}) == len(trials)
    names = [each.folder(3, 1) for each in trials]
    assert names == sorted(names)
    (server, *_) = schedule_of(1, sides=("h:1", "h:2"))
    assert server.folder(3, 2) == "001-server-2"


def test_order_follows_from_the_seed_alone_and_differs_between_seeds() -> None:
    random.seed(7)
    assert schedule_of(6) == schedule_of(6)
    orders = {
        tuple((each.cell.index, each.side) for each in schedule_of(6, seed)) for seed in range(5)
    }
    assert len(orders) == 5


def test_each_side_comes_first_in_some_blocks_and_the_middle_of_each_block_is_the_same() -> None:
    trials = schedule_of(20)
    firsts = Counter(each.side for each in trials if each.position == 1)
    assert set(firsts) == {0, 1, 2}
    assert {
        sum(each.position for each in trials if (each.block, each.cell.index, each.side) == key)
        for key in {(each.block, each.cell.index, each.side) for each in trials}
    } == {7}


def test_cells_change_their_order_between_blocks() -> None:
    trials = schedule_of(8)
    orders = {
        tuple(each.cell.index for each in trials if each.block == block) for block in range(1, 9)
    }
    assert len(orders) > 1


def test_more_blocks_leave_those_before_as_they_were() -> None:
    assert schedule_of(6)[:54] == schedule_of(3)


def test_sides_of_a_block_have_one_seed_and_blocks_have_different_ones() -> None:
    seeds = {(each.block, each.traffic.seed) for each in schedule_of(3, seed=10)}
    assert seeds == {(1, 10), (2, 11), (3, 12)}


def test_root_of_the_project_has_the_ready_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert set(plan_reader.names(project_root() / planfile.FOLDER).values()) >= set(READY)
