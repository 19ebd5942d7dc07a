import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from testbed.cli.main import make_app
from testbed.record.history.model import History
from tests.support.histories import perfect, write
from tests.support.history_builder import HistoryBuilder, done, running


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_app(), ["check", *map(str, arguments)])


@pytest.fixture
def guilty(tmp_path: Path) -> Path:
    history = HistoryBuilder()
    history.submit("j1", (1_000_000, 1_000_010))
    history.fault((1_500_000, 1_600_000))
    history.status(done(), (1_400_000, 1_400_010))
    history.status(running(), (2_000_000, 2_000_010), client="other")
    history.operations.sort(key=lambda operation: operation.invoked)
    made = History(tuple(history.operations), tuple(history.faults), "b")
    return write(made, tmp_path / "history.jsonl")


def test_a_clean_history_ends_with_zero(tmp_path: Path) -> None:
    write(perfect(1, 100), tmp_path / "history.jsonl")
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "Nothing is wrong." in result.stdout
    assert "is not known" not in result.stdout


def test_a_violation_ends_with_one_and_is_shown_as_a_timeline(guilty: Path) -> None:
    result = run(guilty)
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["terminal:", "j1", "was", "DONE,", "and", "later", "shown", "as", "RUNNING"] in lines
    begins = [line[0] for line in lines if len(line) > 3 and line[1] == "–"]
    assert begins == ["0.400000", "0.500000", "1.000000"]
    assert "other → h:1" in result.stdout
    assert "kill x" in result.stdout
    assert "BROKEN 1 times  terminal" in result.stdout


def test_jobs_that_nobody_looked_up_are_named(guilty: Path) -> None:
    assert "The fate of 1 accepted jobs is not known" in run(guilty).stdout


def test_machines_get_one_json_object(guilty: Path) -> None:
    result = run(guilty, "--json")
    assert result.exit_code == 1
    verdict = json.loads(result.stdout)
    assert verdict["clean"] is False
    assert verdict["found"]["terminal"] == 1
    assert verdict["counts"]["accepted"] == 1
    (violation,) = verdict["violations"]
    assert (violation["rule"], violation["subject"]) == ("terminal", "j1")
    first, fault, last = violation["slice"]
    assert first["operation"]["answer"]["state"] == "DONE"
    assert fault["fault"]["kind"] == "kill"
    assert last["operation"]["client"] == "other"


def test_violations_that_are_not_detailed_are_counted(guilty: Path) -> None:
    result = run(guilty, "--detailed", 0)
    assert result.exit_code == 1
    assert "BROKEN 1 times" in result.stdout
    assert "RUNNING attempt" not in result.stdout


def test_an_unreadable_history_ends_with_two(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("{}\n")
    result = run(path)
    assert result.exit_code == 2
    assert "history.jsonl:1: is no head" in " ".join(result.stderr.split())
