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
from testbed.runs.compare.planfile import Known
from testbed.stack.records import project_root
from tests.support.paths import ROOT

KNOWN = Known(("a", "b"), ("noop", "sleep"))
SMALL = """
name = "small"
designs = ["a", "b"]
"""
READY = (
    *("quick", "baseline", "concurrency", "duration", "mix"),
    *("worker_scaling", "high_load", "stress", "aa"),
)


def parse(text: str) -> Plan:
    return planfile.parse(tomllib.loads(text), PlanSource("x.toml"), KNOWN)


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


def test_several_pairs_of_designs_are_cells_too() -> None:
    plan = parse('name = "aa"\npairs = [["a", "a"], ["b", "b"]]')
    assert [cell.designs for cell in plan.cells()] == [("a", "a"), ("b", "b")]
    assert [cell.factors for cell in plan.cells()] == [{"designs": "a,a"}, {"designs": "b,b"}]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('designs = ["a", "b"]', "x.toml: name: is missing"),
        ('name = "x"', "x.toml: designs: is missing"),
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
        ('name = "x"\ndesigns = ["a", "zebra"]', "designs: there is no design 'zebra'"),
        ('name = "x"\ndesigns = ["a"]', "designs: ['a']: give two designs"),
        ('name = "x"\npairs = [["a", "a"], ["a", "a"]]', "pairs: a pair is given twice"),
        ('name = "../x"\ndesigns = ["a", "b"]', "x.toml: name: '../x'"),
        ('name = "latest"\ndesigns = ["a", "b"]', "'latest' is taken"),
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
            SMALL + '[[thresholds]]\nmetric = "jobs_lost"\nmax = 1\ndesign = "c"',
            "[thresholds 1] design: there is no 'c'",
        ),
        (
            SMALL + '[[thresholds]]\nmetric = "jobs_lost"\nmax = 1\ndesign = "a"\nratio = true',
            "[thresholds 1] ratio: a ratio is of both designs",
        ),
        (
            SMALL + "blocks = 1000\n[factors]\nusers = [1, 2, 3, 4, 5, 6]",
            "factors: make 12,000 trials",
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
    plan = planfile.parse(plan_reader.load(path), PlanSource(str(path)), KNOWN)
    assert plan.name == name
    assert plan.about


def test_quick_plan_takes_less_than_five_minutes() -> None:
    path = ROOT / planfile.FOLDER / "quick.toml"
    assert planfile.parse(plan_reader.load(path), PlanSource(str(path)), KNOWN).seconds() < 300


def test_recorded_plan_is_read_back_as_it_was() -> None:
    plan = parse(
        SMALL + "slots = 6\n[traffic]\nrate = 10\n[factors]\njob_ms = [1, 2]\n"
        '[stop]\nmetrics = ["completion_p50_ms"]\n'
        '[[thresholds]]\nmetric = "completion_p99_ms"\ndesign = "b"\nmax = 50\n'
    )
    data = plan.as_data()
    assert planfile.parse(data, PlanSource("recorded"), KNOWN) == plan


@pytest.mark.parametrize(
    ("pair", "changed"),
    [
        ("users=7", {"traffic": {"users": 7}}),
        ("users=5,10", {"factors": {"users": [5, 10]}}),
        ("blocks=3", {"blocks": 3}),
        ("mix=submit=1,list=1", {"traffic": {"mix": "submit=1,list=1"}}),
        ("kind=noop,sleep", {"factors": {"kind": ["noop", "sleep"]}}),
        ("designs=a,a", {"designs": ["a", "a"]}),
        ("limits.offered_miss=0.1", {"limits": {"offered_miss": 0.1}}),
        ("rate=50", {"traffic": {"rate": 50}}),
    ],
)
def test_option_changes_a_key_of_the_plan(pair: str, changed: dict[str, Any]) -> None:
    assert overrides.apply({}, plan_reader.changes_from([pair])) == changed


def test_rate_makes_an_open_loop_of_a_plan_of_users() -> None:
    data = {"factors": {"users": [1, 2]}, "traffic": {"think_time": 0.1}}
    assert overrides.apply(data, {"rate": 50}) == {"factors": {}, "traffic": {"rate": 50}}


@pytest.mark.parametrize("pair", ["blocks", "=3", "bloks=3", "traffic.users.x=3"])
def test_option_that_changes_nothing_known_is_refused(pair: str) -> None:
    with pytest.raises(PlanError, match="--set"):
        overrides.apply({}, plan_reader.changes_from([pair]))


def schedule_of(blocks: int, seed: int = 1) -> tuple[schedule.TrialPlan, ...]:
    return schedule.make(
        Plan("x", blocks=blocks, traffic=Traffic(seed=seed), factors={"users": (1, 2, 3)})
    )


def test_every_block_has_both_sides_of_every_cell_next_to_each_other() -> None:
    trials = schedule_of(4)
    assert Counter((each.block, each.cell.index, each.side) for each in trials) == Counter(
        (block, cell, side) for block in range(1, 5) for cell in range(3) for side in (0, 1)
    )
    for first, second in zip(trials[::2], trials[1::2], strict=True):
        assert (first.cell, first.position, second.position) == (second.cell, 1, 2)


def test_order_follows_from_the_seed_alone_and_differs_between_seeds() -> None:
    random.seed(7)
    assert schedule_of(6) == schedule_of(6)
    orders = {
        tuple((each.cell.index, each.side) for each in schedule_of(6, seed)) for seed in range(5)
    }
    assert len(orders) == 5


def test_each_side_comes_first_in_half_of_the_blocks() -> None:
    firsts = Counter((each.cell.index, each.side) for each in schedule_of(10) if each.position == 1)
    assert set(firsts.values()) == {5}


def test_cells_change_their_order_between_blocks() -> None:
    trials = schedule_of(8)
    orders = {
        tuple(each.cell.index for each in trials if each.block == block) for block in range(1, 9)
    }
    assert len(orders) > 1


def test_more_blocks_leave_those_before_as_they_were() -> None:
    assert schedule_of(6)[:18] == schedule_of(3)


def test_sides_of_a_block_have_one_seed_and_blocks_have_different_ones() -> None:
    seeds = {(each.block, each.traffic.seed) for each in schedule_of(3, seed=10)}
    assert seeds == {(1, 10), (2, 11), (3, 12)}


def test_root_of_the_project_has_the_ready_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert set(plan_reader.names(project_root() / planfile.FOLDER).values()) >= set(READY)
