"""Whatever is wrong with a file of a run folder, the report names the file and ends with 2."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.cli.main import make_app
from tests.support import fault_runs
from tests.support.experiments import Experiment

# Of each kind of run, its files; a trial's are those of the first.
EXPERIMENT_FILES = (
    "experiment.json",
    "trials/*/trial.json",
    "trials/*/load.json",
    "trials/*/calls.hlog",
    "trials/*/accepted-*.txt",
    "trials/*/jobs.csv",
    "trials/*/resources.csv",
    "trials/*/metrics.jsonl.gz",
)
FAULT_RUN_FILES = (
    "fault-run.json",
    "trials/*/trial.json",
    "trials/*/load.json",
    "trials/*/calls.hlog",
    "trials/*/accepted-*.txt",
    "trials/*/jobs.csv",
    "trials/*/resources.csv",
    "trials/*/metrics.jsonl.gz",
    "trials/*/faults.json",
    "trials/*/history-audit.jsonl",
    "trials/*/history-faults.jsonl",
    "trials/*/history-load-*.jsonl",
)


def _half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _last_twenty_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "half": _half,
    "last twenty bytes": _last_twenty_bytes,
    "no utf-8": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "zeros": lambda path: path.write_bytes(bytes(200)),
    "other JSON": lambda path: path.write_bytes(b"[[1, null], true]\n"),
    "nested": lambda path: path.write_bytes(b"[" * 200_000),
    "a folder": _folder,
    "a pipe": _pipe,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    Experiment(blocks=1, seconds=5, metrics=True).write(folder / "experiment" / "run")
    fault_runs.write(folder / "fault-run" / "run")
    return folder


APP = make_app()
# Without its header a folder is no trial: that one has not run, which the schedule knows.
NO_TRIAL = ("experiment", "trials/*/trial.json", "missing")


def cases() -> Iterator[tuple[str, str, str]]:
    files = {"experiment": EXPERIMENT_FILES, "fault-run": FAULT_RUN_FILES}
    for kind, names in files.items():
        yield from ((kind, name, damage) for name in names for damage in DAMAGES)


def report(folder: Path) -> Result:
    return CliRunner().invoke(APP, ["report", str(folder), "--check"])


def names(result: Result, pattern: str) -> bool:
    """Whether the message names a file; where several belong together, by their pattern."""
    stem, _, end = Path(pattern).name.partition("*")
    alone = stem in result.stderr and end in result.stderr
    return alone or (stem.startswith("history") and "history*.jsonl" in result.stderr)


@pytest.mark.parametrize(("kind", "name", "damage"), [case for case in cases() if case != NO_TRIAL])
def test_a_damaged_file_is_named_with_the_code_of_an_error(
    runs: Path, tmp_path: Path, kind: str, name: str, damage: str
) -> None:
    folder = shutil.copytree(runs / kind / "run", tmp_path / kind / "run")
    path = next(iter(sorted(folder.glob(name))))
    DAMAGES[damage](path)
    result = report(folder)
    assert result.exit_code == 2, (result.exception, result.output)
    assert names(result, name), result.stderr


def test_a_side_of_a_fault_run_that_failed_is_named_with_its_reason(
    runs: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs / "fault-run" / "run", tmp_path / "run")
    trial = sorted(folder.glob("trials/*"))[-1]
    header = json.loads((trial / "trial.json").read_text())
    failed = {**header, "status": "failed", "error": "no store is on this machine"}
    (trial / "trial.json").write_text(json.dumps(failed))
    for path in trial.glob("history*.jsonl"):
        path.unlink()
    result = report(folder)
    assert result.exit_code == 1, result.output
    name = f"Design {header['design'].upper()}"
    assert f"{name} did not run to its end: no store is on this machine." in result.stdout


def test_trial_without_a_header_has_not_run(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "experiment" / "run", tmp_path / "experiment" / "run")
    sorted(folder.glob("trials/*/trial.json"))[0].unlink()
    result = report(folder)
    assert result.exit_code == 1
    assert "Without a valid attempt: trial 1" in result.stdout


@pytest.mark.parametrize(
    ("name", "path", "junk", "key"),
    [
        ("experiment.json", ("plan", "limits"), {"offered_miss": "x"}, "plan.limits.offered_miss"),
        ("experiment.json", ("plan", "limits"), {"other": 1}, "plan.limits.other"),
        ("experiment.json", ("plan", "thresholds"), [{"max": 1}], "plan.thresholds[0].metric"),
        ("experiment.json", ("plan", "traffic"), [], "plan.traffic"),
        ("experiment.json", ("provenance", "machine"), 7, "provenance.machine"),
        ("experiment.json", ("schedule",), [{"number": "1"}], "schedule[0].number"),
        ("trial.json", ("number",), 99, "of no trial of the schedule"),
        ("trial.json", ("endpoints",), "h:1", "endpoints"),
        ("trial.json", ("budget",), {"job": {"cpus": "x"}}, "budget.job.cpus"),
        ("load.json", ("seconds", 2, "answered"), 1.5, "seconds[2].answered"),
        ("load.json", ("window", "to_unix"), float("nan"), "NaN"),
        ("load.json", ("offered",), None, "offered"),
    ],
)
def test_value_of_another_type_is_named_by_its_key(
    runs: Path, tmp_path: Path, name: str, path: tuple[str | int, ...], junk: object, key: str
) -> None:
    folder = shutil.copytree(runs / "experiment" / "run", tmp_path / "experiment" / "run")
    file = sorted(folder.rglob(name))[0]
    content = json.loads(file.read_text())
    holder = content
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = junk
    file.write_text(json.dumps(content))
    result = report(folder)
    assert result.exit_code == 2, (result.exception, result.output)
    assert str(file) in result.stderr
    assert key in result.stderr
