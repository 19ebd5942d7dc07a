"""What is not there is never taken for what went well: a run is damaged, or its trial is void."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.cli.main import make_app
from testbed.record import files
from testbed.record.metrics import METRICS
from tests.support import fault_runs
from tests.support.experiments import PROCESSES, Experiment

SIDE = fault_runs.SIDE


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    Experiment(blocks=1, seconds=5, metrics=True).write(folder / "experiment")
    fault_runs.write(folder / "fault-run")
    return folder


@pytest.fixture
def experiment(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole / "experiment", tmp_path / "quick" / "run")


@pytest.fixture
def trial(experiment: Path) -> Path:
    return sorted((experiment / files.TRIALS).iterdir())[0]


@pytest.fixture
def fault_run(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole / "fault-run", tmp_path / "faults-quick" / "run")


def check(folder: Path) -> Result:
    return CliRunner().invoke(make_app(), ["report", str(folder), "--check"])


def keep(path: Path, wanted: Callable[[int, str], bool]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for at, line in enumerate(lines) if wanted(at, line)))


def change(path: Path, edit: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def assert_damaged(folder: Path, *named: str) -> None:
    result = check(folder)
    assert result.exit_code == 2, (result.exception, result.output)
    assert all(each in result.stderr for each in named), result.stderr


def assert_void(folder: Path, reason: str) -> None:
    result = check(folder)
    assert result.exit_code == 1, (result.exception, result.output)
    trials = json.loads((folder / "comparison.json").read_text())["trials"]
    assert any(reason in problem for each in trials for problem in each["problems"]), trials


def test_runs_that_lack_nothing_are_read_to_their_end(experiment: Path, fault_run: Path) -> None:
    assert check(experiment).exit_code == 0
    assert check(fault_run).exit_code == 0


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_accepted_jobs_without_a_row_are_not_jobs_that_were_kept(
    experiment: Path, trial: Path, rows: int
) -> None:
    keep(trial / files.JOBS, lambda at, _line: at <= rows)
    assert_damaged(experiment, f"{trial / files.JOBS} has no row for")


def test_accepted_job_that_is_shown_unfinished_without_a_problem_is_lost(
    experiment: Path, trial: Path
) -> None:
    path = trial / files.JOBS
    path.write_text(path.read_text().replace("DONE", "RUNNING", 1))
    assert_void(experiment, "1 of 300 accepted jobs lost")


def test_row_that_does_not_count_as_accepted_is_noticed(experiment: Path, trial: Path) -> None:
    path = trial / files.JOBS
    path.write_text(path.read_text().replace(",1,DONE", ",0,DONE", 1))
    assert_damaged(experiment, str(path), "do not agree")


@pytest.mark.parametrize("which", [0, 2, -1])
def test_second_that_is_missing_is_noticed(experiment: Path, trial: Path, which: int) -> None:
    change(trial / files.LOAD, lambda load: load["seconds"].pop(which))
    assert_damaged(experiment, str(trial / files.LOAD))


def test_histogram_with_fewer_calls_than_its_second_counts_is_noticed(
    experiment: Path, trial: Path
) -> None:
    keep(trial / files.CALLS, lambda at, _line: at != 6)
    assert_damaged(experiment, str(trial / files.CALLS), "in the second")


def test_scrapes_that_lost_their_end_are_noticed(experiment: Path, trial: Path) -> None:
    path = trial / METRICS
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))
    assert_damaged(experiment, str(path), "what the scraper cost, is missing")


def test_process_that_nobody_scraped_is_noticed(experiment: Path, trial: Path) -> None:
    change(trial / files.TRIAL, lambda header: header.update(scraped=["gateway", "queue", "other"]))
    assert_damaged(experiment, str(trial / METRICS), "other")


def test_process_that_never_answered_a_scrape_makes_the_trial_void(
    experiment: Path, trial: Path
) -> None:
    path = trial / METRICS
    text = gzip.decompress(path.read_bytes()).decode()
    name = json.loads(text.splitlines()[0])["process"]
    rows = [json.loads(line) for line in text.splitlines()]
    silent = [
        {"unix": row["unix"], "process": name, "error": "TimeoutError"}
        if row.get("process") == name
        else row
        for row in rows
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in silent).encode()))
    change(trial / files.TRIAL, lambda header: header.update(scraped=[name]))
    assert_void(experiment, f"the metrics of {name} were never read")


def test_process_without_a_sample_makes_the_trial_void(experiment: Path, trial: Path) -> None:
    names = PROCESSES[trial.name[-1]]
    change(trial / files.TRIAL, lambda header: header.update(processes=list(names)))
    keep(trial / files.RESOURCES, lambda _at, line: f",{names[2]}," not in line)
    assert_void(experiment, f"CPU and memory of {names[2]} were not sampled")


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 80), (150, 10_000)])
def test_samples_that_do_not_span_the_window_make_the_trial_void(
    experiment: Path, trial: Path, first: int, last: int
) -> None:
    keep(trial / files.RESOURCES, lambda at, _line: at == 0 or first < at <= last)
    assert_void(experiment, "were not sampled")


def test_experiment_without_a_schedule_is_not_complete(experiment: Path) -> None:
    change(experiment / files.EXPERIMENT, lambda record: record.update(schedule=[]))
    assert_damaged(experiment, str(experiment / files.EXPERIMENT), "schedule has no trial")


def test_fault_run_that_a_plan_ends_with_and_that_is_not_there_is_missing(
    experiment: Path,
) -> None:
    change(experiment / files.EXPERIMENT, lambda record: record["plan"].update(faults="short"))
    result = check(experiment)
    assert result.exit_code == 1
    assert "Without the fault run" in result.stdout


@pytest.mark.parametrize("who", ["load-7", "audit", "faults"])
def test_history_that_lost_its_end_is_noticed(fault_run: Path, who: str) -> None:
    path = fault_run / SIDE / f"history-{who}.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert_damaged(fault_run, str(path), "its last line, where it ends, is missing")


def test_history_that_lacks_lines_of_its_middle_is_noticed(fault_run: Path) -> None:
    path = fault_run / SIDE / "history-audit.jsonl"
    count = len(path.read_text().splitlines())
    keep(path, lambda at, _line: at != count - 2)
    assert_damaged(fault_run, f"{path}:{count - 1}: ends a history of")


def test_history_of_another_drive_is_noticed(fault_run: Path) -> None:
    path = fault_run / SIDE / "history-load-7.jsonl"
    path.write_text(path.read_text().splitlines()[0] + '\n{"t":1000001,"end":1}\n')
    assert_damaged(fault_run, str(path.parent), "has no answer to the submits of")


def test_faults_that_no_history_has_are_noticed(fault_run: Path) -> None:
    path = fault_run / SIDE / "faults.json"
    change(path, lambda done: done["schedule"].append({}))
    assert_damaged(fault_run, str(path), "1 faults, the history 0")


def test_jobs_that_were_not_looked_up_are_no_promise_kept(fault_run: Path) -> None:
    path = fault_run / SIDE / "history-audit.jsonl"
    head = path.read_text().splitlines()[0]
    path.write_text(head + '\n{"t":1000001,"end":1}\n')
    result = check(fault_run)
    assert result.exit_code == 1
    assert "not looked up" in (fault_run / "report.html").read_text()


def test_jobs_that_could_not_be_asked_for_are_no_promise_kept(fault_run: Path) -> None:
    path = fault_run / SIDE / "history-audit.jsonl"
    lines = []
    for line in path.read_text().splitlines():
        event = json.loads(line)
        if "ok" in event:
            event = {"t": event["t"], "info": event["ok"], "code": "UNAVAILABLE"}
        lines.append(json.dumps(event))
    path.write_text("\n".join((*lines, "")))
    result = check(fault_run)
    assert result.exit_code == 1, (result.exception, result.output)
    assert "not looked up" in (fault_run / "report.html").read_text()
