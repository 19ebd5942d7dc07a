"""Whatever is wrong with a file of a run folder, the report names the file and ends with 2."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.cli import make_app
from tests.support import fault_runs
from tests.unit.testbed_report.synthetic import Experiment

TRIAL = Path("trials", "001-{}")
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


def report(folder: Path) -> Result:
    return CliRunner().invoke(make_app(), ["report", str(folder), "--check"])


def names(result: Result, pattern: str) -> bool:
    """Whether the message names a file; where several belong together, by their pattern."""
    stem, _, end = Path(pattern).name.partition("*")
    alone = stem in result.stderr and end in result.stderr
    return alone or (stem.startswith("history") and "history*.jsonl" in result.stderr)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("experiment", name) for name in EXPERIMENT_FILES),
        *(("fault-run", name) for name in FAULT_RUN_FILES),
    ],
)
def test_a_damaged_file_is_named_with_the_code_of_an_error(
    runs: Path, tmp_path: Path, kind: str, name: str, damage: str
) -> None:
    folder = shutil.copytree(runs / kind / "run", tmp_path / kind / "run")
    path = next(iter(sorted(folder.glob(name))))
    DAMAGES[damage](path)
    if not damaged_kind_is_a_loss(kind, name, damage):
        return
    result = report(folder)
    assert result.exit_code == 2, (result.exception, result.output)
    assert names(result, name), result.stderr


def damaged_kind_is_a_loss(kind: str, name: str, damage: str) -> bool:
    """Without its header a folder is no trial: the schedule says that one has not run."""
    return (kind, name, damage) != ("experiment", "trials/*/trial.json", "missing")
