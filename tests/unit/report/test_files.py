from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from testbed.cli.main import make_app
from testbed.runs.compare.report import rebuild
from tests.support.experiments import MACHINE, Experiment, damage, plan, provenance
from tests.support.paths import ROOT
from tests.unit.report.pages import read

Make = Callable[..., Path]
FAST = {"metric": "SubmitJob_p50_ms", "side": "b", "max": 50.0}
IMPOSSIBLE = {"metric": "SubmitJob_p50_ms", "max": 0.001}
UNKNOWN = {"metric": "no_such_metric", "side": "a", "min": 1.0}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes an experiment into ``results/<its plan>/<run>``."""

    def made(run: str = "1", **changes: Any) -> Path:
        experiment = Experiment(**{"blocks": 2, **changes})
        return experiment.write(tmp_path / "results" / str(experiment.plan["name"]) / run)

    return made


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), ["report", *map(str, arguments)])


def suites(folder: Path) -> dict[str, ElementTree.Element]:
    root = ElementTree.parse(folder / "junit.xml").getroot()
    assert root.tag == "testsuites"
    return {each.get("name", "").rpartition(".")[2]: each for each in root}


def test_every_file_of_a_result_is_written(make: Make) -> None:
    folder = make(metrics=True)
    rebuilt = rebuild.write(folder)
    assert rebuilt.passed
    assert {path.name for path in folder.iterdir()} == {
        "comparison.csv",
        "comparison.json",
        "experiment.json",
        "inside.csv",
        "junit.xml",
        "report.html",
        "summary.md",
        "trials",
        "trials.csv",
    }
    assert "segment_" in (folder / "inside.csv").read_text()


def test_junit_has_a_case_for_each_trial_and_threshold(make: Make) -> None:
    folder = make(plan=plan(thresholds=[FAST, IMPOSSIBLE]))
    assert not rebuild.write(folder).passed
    found = suites(folder)
    assert (found["trials"].get("tests"), found["trials"].get("failures")) == ("4", "0")
    assert (found["thresholds"].get("tests"), found["thresholds"].get("failures")) == ("3", "2")
    failed = [case.get("name") for case in found["thresholds"] if case.find("failure") is not None]
    assert failed == [f"{side} SubmitJob_p50_ms at most 0.001" for side in "AB"]


def test_junit_fails_a_threshold_that_has_no_figure(make: Make) -> None:
    folder = make(plan=plan(thresholds=[UNKNOWN]))
    rebuild.write(folder)
    (case,) = suites(folder)["thresholds"]
    failure = case.find("failure")
    assert failure is not None
    assert "no figure" in failure.get("message", "")


def test_junit_fails_a_trial_that_is_void_or_did_not_run(make: Make) -> None:
    folder = make(void={2: "bad \x00 byte & <tag>"})
    damage(folder, schedule=[{"number": number} for number in range(1, 6)])
    rebuild.write(folder)
    trials = suites(folder)["trials"]
    failures = {
        case.get("name", "").partition(",")[0]: failure.get("message", "")
        for case in trials
        if (failure := case.find("failure")) is not None
    }
    assert set(failures) == {"trial 2", "trial 5"}
    assert "bad \ufffd byte & <tag>" in failures["trial 2"]
    assert failures["trial 5"] == "did not run"


def test_experiment_in_which_nothing_ran_has_junit_and_no_page(make: Make) -> None:
    folder = make(blocks=0)
    damage(folder, schedule=[{"number": 1}])
    result = invoke(folder, "--check")
    assert result.exit_code == 1
    assert "No trial ran" in result.stdout
    assert not (folder / "report.html").exists()
    assert suites(folder)["trials"].get("failures") == "1"


def test_command_ends_with_one_only_if_it_is_to_check(make: Make) -> None:
    folder = make(plan=plan(thresholds=[IMPOSSIBLE]))
    assert invoke(folder).exit_code == 0
    result = invoke(folder, "--check")
    assert result.exit_code == 1
    assert "FAILED  A SubmitJob_p50_ms at most 0.001" in result.stdout


def test_thresholds_that_cannot_be_read_are_refused(make: Make) -> None:
    result = invoke(make(plan=plan(thresholds=[{"metrik": "x"}])))
    assert result.exit_code == 2
    assert "metrik" in result.stderr


def test_folder_that_is_no_experiment_is_refused(tmp_path: Path) -> None:
    result = invoke(tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_runs_are_compared_and_what_differs_is_named(make: Make, tmp_path: Path) -> None:
    other = provenance(
        git={"commit": "0" * 40, "dirty": True},
        lock_sha256="f" * 64,
        machine={**MACHINE, "cpu": "Other CPU", "cores": 8},
    )
    first = make("1", fairness=({"slots": 12}, {"slots": 12}))
    second = make(
        "2", plan=plan(duration=30.0), provenance=other, fairness=({"slots": 6}, {"slots": 6})
    )
    result = invoke(first, second)
    assert result.exit_code == 0, result.stderr
    page = read(tmp_path / "results" / "runs.html")
    assert "The runs differ in machine, lock and versions, commit, settings and plan." in page.text
    for text in ("Other CPU, 8 cores", "0" * 40, "f" * 64, "A slots", "quick 1", "quick 2"):
        assert text in page.text
    assert (page.open, page.wrong) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") for link in page.links)
    assert page.pictures()
    assert not (first / "report.html").exists()


def test_runs_under_the_same_conditions_are_reported_as_such(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "both.html"
    assert invoke(make("1"), make("2", seed=8), "--output", path).exit_code == 0
    page = read(path)
    assert "The runs differ" not in page.text
    # The name of each run stands in the row of every metric that it has.
    rows = page.text.count("quick 2") - 3
    assert rows > 5


def test_runs_without_a_common_cell_say_so(make: Make, tmp_path: Path) -> None:
    alone = make("2", cells=({"users": 5},), plan=plan(name="users"))
    assert invoke(make("1"), alone).exit_code == 0
    page = read(tmp_path / "results" / "runs.html")
    assert "no cell and no sides that all of them have" in page.text
    assert "A and B, users 5 (users 2)" in page.text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("1", "--output", "x.html"), "--output"),
        (("1", "2", "--check"), "--check"),
        (("1", "1"), "named twice"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    make: Make, options: tuple[str, ...], named: str
) -> None:
    folders = {run: make(run, blocks=1) for run in ("1", "2")}
    result = invoke(*(folders.get(each, each) for each in options))
    assert result.exit_code == 2
    assert named in result.stderr


def test_runs_that_share_a_side_on_one_machine_are_named_with_what_may_be_compared(
    make: Make, tmp_path: Path
) -> None:
    one, others = make("1"), make("2", plan=plan(sides=["a", "b+slots=24"]))
    assert invoke(one, others).exit_code == 0
    text = read(tmp_path / "results" / "runs.html").text
    assert "quick 1 and quick 2 share a on one machine." in text
    assert "there is no verdict between runs" in text
    assert "a and b+slots=24 (quick 2)" in text
    elsewhere = make(
        "3", plan=plan(sides=["a", "b+slots=24"]), provenance=provenance(machine={"cpu": "Other"})
    )
    assert invoke(one, elsewhere).exit_code == 0
    assert "on one machine" not in read(tmp_path / "results" / "runs.html").text


def test_what_a_side_of_one_run_alone_ran_with_is_no_difference_between_runs(
    make: Make, tmp_path: Path
) -> None:
    one = make("1", fairness=({"slots": 12}, {"slots": 12}))
    other = make(
        "2",
        plan=plan(sides=["a", "b+slots=24"]),
        fairness=({"slots": 12}, {"slots": 24}),
    )
    assert invoke(one, other).exit_code == 0
    assert "The runs differ in plan." in read(tmp_path / "results" / "runs.html").text


def test_one_name_of_two_commits_is_a_difference_between_runs(make: Make, tmp_path: Path) -> None:
    def of(run: str, commit: str) -> Path:
        origin = provenance(revisions={"a@main": {"commit": commit}})
        return make(run, plan=plan(sides=["a@main", "b"]), provenance=origin)

    assert invoke(of("1", "c" * 40), of("2", "d" * 40)).exit_code == 0
    text = read(tmp_path / "results" / "runs.html").text
    assert "The runs differ in commit." in text
    assert "a@main commit" in text


def test_summary_is_a_markdown_table_of_the_main_metrics(make: Make) -> None:
    sides = ["a", "b+slots=24", "a@HEAD~3"]
    folder = make(plan=plan(sides=sides, thresholds=[IMPOSSIBLE]), mirrored=True, blocks=3)
    rebuild.write(folder)
    lines = (folder / "summary.md").read_text().splitlines()
    assert lines[0] == "### quick: a, b+slots=24 and a@HEAD~3"
    head = lines.index("| | a | b+slots=24 | verdict | a@HEAD~3 | verdict |")
    assert lines[head + 1] == "|---|---:|---:|---|---:|---|"
    rows = [line.split("|") for line in lines[head + 2 : lines.index("", head)]]
    assert {len(row) for row in rows} == {8}
    (cost,) = [row for row in rows if "CPU per finished job" in row[1]]
    assert "×0.5" in cost[3]
    assert cost[4].strip() == "b+slots=24 better"
    assert "3 blocks, 18 trials, all valid. Ratios are to the first side" in "\n".join(lines)
    assert sum(line.startswith("- **FAILED**: ") for line in lines) == 3
    assert lines[-1] == "The report: `report.html` in `quick/1`."


def test_thresholds_of_ratios_hold_for_every_other_side_or_the_one_that_is_named(
    make: Make,
) -> None:
    ratio = {"metric": "cpu_ms_per_job", "ratio": True, "max": 0.8}
    thresholds = [ratio, {**ratio, "side": "b"}]
    folder = make(plan=plan(sides=["a", "b", "a"], thresholds=thresholds))
    checked = rebuild.write(folder).checked
    assert [(each.subject, each.met) for each in checked] == [
        ("B/A 1st", True),
        ("2nd/1st", False),
        ("B/A 1st", True),
    ]


def test_comparison_csv_has_a_row_for_each_other_side(make: Make) -> None:
    folder = make(plan=plan(sides=["a", "b", "b+slots=24"]))
    rebuild.write(folder)
    with (folder / "comparison.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "cpu_ms_per_job"]
    assert [(row["side"], row["reference"], row["other"]) for row in rows] == [
        ("1", "a", "b"),
        ("2", "a", "b+slots=24"),
    ]
    assert rows[0]["reference_median"] == rows[1]["reference_median"]


@pytest.mark.parametrize("wrong", [["a"], ["a", ""], ["a", "b+slots"], "ab"])
def test_recorded_sides_that_are_none_are_damage(make: Make, wrong: object) -> None:
    folder = make()
    damage(folder, plan=plan(sides=wrong))
    result = invoke(folder)
    assert result.exit_code == 2
    assert "experiment.json" in result.stderr
    assert "plan.sides" in result.stderr


def test_experiment_of_a_later_format_is_refused_by_its_number(make: Make) -> None:
    folder = make()
    damage(folder, format=4)
    result = invoke(folder)
    assert result.exit_code == 2
    assert "its format is 4, and this version reads 2 and 3" in " ".join(result.stderr.split())


def test_plan_in_the_page_on_ci_is_one_that_can_be_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    path = tmp_path / "ci.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    result = CliRunner().invoke(make_app(), ["run", str(path), "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert "ci: 12 trials in 3 blocks" in result.stdout
