from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from testbed.record.calls import SERVICE
from testbed.record.model import FAILED, ExperimentRecording, TrialRecording
from testbed.report import console, numbers
from testbed.runs.compare.comparison import Comparison, compare
from testbed.runs.compare.plan import Plan
from testbed.runs.compare.report import files, terminal

PLAN = {
    **Plan("test", blocks=2).as_data(),
    "titles": {"a": "six services", "b": "six nodes"},
}


def experiment(make: Any, *extra: TrialRecording) -> ExperimentRecording:
    """Two blocks; the submits of B take twice as long, and it lists a job in five."""
    trials = []
    for number, side in enumerate((0, 1, 1, 0), start=1):
        load = make.load(
            calls={
                "SubmitJob": {SERVICE: [1000 * (side + 1)] * 100},
                "ListJobs": {SERVICE: [500] * 3},
            },
            error_kinds={"ListJobs": {"BOOM": 1}},
        )
        header = make.header(number, side, plan_cell={"users": 20})
        trials.append(make.trial(header=header, load=load, jobs=()))
    schedule = tuple({"number": number} for number in range(1, 5))
    return ExperimentRecording(
        ("a", "b"), PLAN, {"git": {"commit": "c0"}}, (*trials, *extra), schedule
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def written(folder: Path, comparison: Comparison) -> None:
    files.write_all(folder, comparison, PLAN, {"git": {"commit": "c0"}})


def shown(comparison: Comparison, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    terminal.show(console, comparison, PLAN)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_trials_csv_has_a_row_for_each_trial_and_metric(tmp_path: Path, make: Any) -> None:
    comparison = compare(experiment(make))
    written(tmp_path, comparison)
    rows = rows_of(tmp_path / files.TRIALS_CSV)
    assert len(rows) == 4 * len(comparison.cells[0].rows)
    (row,) = [row for row in rows if row["trial"] == "2" and row["metric"] == "SubmitJob_p50_ms"]
    assert float(row["value"]) == pytest.approx(2, rel=1e-3)
    assert (row["design"], row["unit"], row["samples"], row["valid"]) == ("b", "ms", "1000", "1")
    assert (row["users"], row["block"], row["attempt"]) == ("20", "1", "1")


def test_too_few_samples_are_a_note_and_no_number(tmp_path: Path, make: Any) -> None:
    written(tmp_path, compare(experiment(make)))
    rows = rows_of(tmp_path / files.TRIALS_CSV)
    few = [row for row in rows if row["metric"] == "ListJobs_p99_ms"]
    assert {(row["value"], row["samples"], row["note"]) for row in few} == {
        ("", "30", "too few samples")
    }


def test_comparison_csv_has_ratio_interval_and_verdict_of_each_cell(
    tmp_path: Path, make: Any
) -> None:
    comparison = compare(experiment(make))
    written(tmp_path, comparison)
    rows = {row["metric"]: row for row in rows_of(tmp_path / files.COMPARISON_CSV)}
    row = rows["SubmitJob_p50_ms"]
    names = ("reference_median", "other_median", "ratio", "ratio_low", "ratio_high")
    assert [float(row[name]) for name in names] == pytest.approx([1, 2, 2, 2, 2], rel=2e-3)
    judged = comparison.cells[0].row("SubmitJob_p50_ms")
    assert judged is not None
    (against,) = judged.against
    assert against.outcome is not None
    assert (row["users"], row["blocks"], row["verdict"]) == ("20", "2", against.outcome.value)
    assert (row["reference"], row["other"], row["side"]) == ("a", "b", "1")
    assert rows["jobs_lost"]["ratio"] == rows["jobs_lost"]["verdict"] == ""
    assert rows["jobs_lost"]["reference_median"] == "0"


def test_json_has_figures_plan_and_provenance(tmp_path: Path, make: Any) -> None:
    comparison = compare(experiment(make))
    written(tmp_path, comparison)
    content = json.loads((tmp_path / files.COMPARISON_JSON).read_text())
    assert content["complete"] is True
    assert content["plan"]["seed"] == 1
    assert content["provenance"] == {"git": {"commit": "c0"}}
    (cell,) = content["cells"]
    metric = cell["metrics"]["SubmitJob_p50_ms"]
    (against,) = metric["against_reference"]
    assert against["ratio"]["estimate"] == pytest.approx(2, rel=2e-3)
    assert cell["factors"] == {"users": 20}
    assert len(content["trials"]) == 4


def test_terminal_says_what_ran_and_shows_the_interval(make: Any) -> None:
    text = shown(compare(experiment(make)), width=160)
    assert "A = design a, six services" in text
    assert "Closed loop of 20 users" in text
    (line,) = [line for line in text.splitlines() if line.startswith("  SubmitJob p50")]
    assert line.split()[:7] == ["SubmitJob", "p50", "ms", "1.00", "2.00", "2.00", "2.00"]
    (few,) = [line for line in text.splitlines() if line.startswith("  ListJobs p99")]
    assert few.count("too few") == 2
    assert "1 × ListJobs BOOM" in text


def test_table_of_many_sides_has_figure_ratio_and_verdict_of_each(make: Any) -> None:
    """Three mirrored blocks of three sides; the submits of the second take twice as long."""
    trials = []
    for number, side in enumerate((0, 1, 2, 2, 1, 0) * 3, start=1):
        load = make.load(calls={"SubmitJob": {SERVICE: [1000 * (1 + side % 2) + number] * 100}})
        header = replace(
            make.header(number, position=number),
            side=side,
            design="aba"[side],
            block=(number + 5) // 6,
        )
        trials.append(make.trial(header=header, load=load, jobs=()))
    schedule = tuple({"number": number} for number in range(1, 19))
    sides = ("a", "b", "a+lease=10")
    recorded = ExperimentRecording(
        sides, {**PLAN, "sides": list(sides)}, {}, tuple(trials), schedule
    )
    text = shown(compare(recorded), width=160)
    assert "a = design a, six services; b = design b, six nodes; a+lease=10, six services" in text
    (line,) = [line for line in text.splitlines() if line.startswith("  SubmitJob p50")]
    assert line.split()[3:] == ["1.01", "2.01", "1.99", "worse", "1.01", "1.00", "≈"]
    assert "from what two trials of a side in one block differ by" in text
    assert '"≈" stands for no difference shown' in text


def test_lost_jobs_are_named_and_the_trial_is_called_void(make: Any) -> None:
    recorded = experiment(make)
    job = make.job(1, 1, 0, 0.1, state="MISSING", problem="NOT_FOUND: lost")
    lost = replace(recorded.trials[3], jobs=(job,))
    comparison = compare(replace(recorded, trials=(*recorded.trials[:3], lost)))
    text = shown(comparison)
    assert "VOID  trial 4 (block 2, design A): 1 of" in text
    assert f"lost {job.job_id}: NOT_FOUND: lost" in text
    assert not comparison.complete


def test_partial_comparison_says_how_much_is_missing(make: Any) -> None:
    recorded = experiment(make)
    failed = TrialRecording(make.header(2, 1, status=FAILED, error="port 1 is taken"))
    text = shown(compare(replace(recorded, trials=(recorded.trials[0], failed))))
    assert "PARTIAL  3 of 4 trials have no valid attempt" in text
    assert "failed: port 1 is taken" in text
    assert "1 of 2 blocks" in text


def test_table_is_not_cut_where_there_is_no_terminal(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    file = io.StringIO()
    terminal.show(console.Output(file=file), compare(experiment(make)), PLAN)
    assert "…" not in file.getvalue()
    assert re.search(r"^  SubmitJob p50 +ms +[\d.]+ +[\d.]+ ", file.getvalue(), re.MULTILINE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3.00"),
        (0.04567, "0.0457"),
        (4.567, "4.57"),
        (45.67, "45.7"),
        (4567.8, "4,568"),
    ],
)
def test_numbers_have_three_digits_that_matter(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_counts_are_written_in_full() -> None:
    assert numbers.number(3.0, is_count=True) == "3"
    assert numbers.number(12345.0, is_count=True) == "12,345"
