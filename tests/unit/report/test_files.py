from __future__ import annotations

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
FAST = {"metric": "SubmitJob_p50_ms", "design": "b", "max": 50.0}
IMPOSSIBLE = {"metric": "SubmitJob_p50_ms", "max": 0.001}
UNKNOWN = {"metric": "no_such_metric", "design": "a", "min": 1.0}


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
    assert "no cell and no pair of designs that all of them have" in page.text
    assert "A and B, users 5 (users 2)" in page.text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("1", "--output", "x.html"), "--output"),
        (("1", "2", "--noise", "1"), "--noise"),
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


def test_noise_of_an_experiment_of_two_designs_is_refused(make: Make) -> None:
    result = invoke(make("1"), "--noise", make("2"))
    assert result.exit_code == 2
    assert "shows no noise floor" in result.stderr


def test_plan_in_the_page_on_ci_is_one_that_can_be_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    path = tmp_path / "ci.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    result = CliRunner().invoke(make_app(), ["run", str(path), "--dry-run"])
    assert result.exit_code == 0, result.stderr
    assert "ci: 6 trials in 3 blocks" in result.stdout
