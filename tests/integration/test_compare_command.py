from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from testbed.cli.main import make_app
from testbed.report.provenance import busy_note
from testbed.stack import records as stacks
from tests.support.paths import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that has plans and nothing else."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), list(arguments))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--rounds", "0"), "--rounds 0"),
        (("--users", "-1"), "--users -1"),
        (("--duration", "nan"), "--duration nan"),
        (("a", "zebra"), "sides a zebra: side 'zebra': there is no design 'zebra'"),
        (("a", "b+lease"), "'lease' is no OPTION=VALUE"),
        (("a",), "give it twice for the noise of this machine, ['a', 'a']"),
        (("--kind", "juggle"), "'juggle'"),
        (("--slots", "13"), "13 slots"),
        (("--name", "../x"), "--name"),
        (("--max-ratio", "cpu_ms_per_job"), "--max-ratio cpu_ms_per_job: not KEY=VALUE"),
        (("--min-ratio", "cpu_ms_per_jop=1"), "did you mean cpu_ms_per_job?"),
        (("--max-ratio", "cpu_ms_per_job=fast"), "'fast' is not above 0"),
        (("--max-ratio", "cpu_ms_per_job=nan"), "'nan' is not above 0"),
    ],
)
def test_impossible_comparison_is_refused_before_anything_starts(
    home: Path, options: tuple[str, ...], named: str
) -> None:
    result = invoke("compare", *options)
    assert result.exit_code == 2
    assert named in " ".join(result.output.split())
    assert [path.name for path in home.iterdir()] == ["experiments"]


def test_comparison_outside_a_project_says_what_is_missing(home: Path) -> None:
    result = invoke("compare")
    assert result.exit_code == 2
    assert "mixed.py is missing" in " ".join(result.output.split())
    assert [path.name for path in home.iterdir()] == ["experiments"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("zebra",), "'zebra'"),
        (("--slots", "13"), "13 slots"),
        (("--callers", "16,0"), "--callers '16,0': each must be from 1 to 1000"),
    ],
)
def test_impossible_bench_is_refused_before_anything_starts(
    home: Path, options: tuple[str, ...], named: str
) -> None:
    result = invoke("bench", *options)
    assert result.exit_code == 2
    assert named in " ".join(result.output.split())
    assert [path.name for path in home.iterdir()] == ["experiments"]


def test_plan_that_cannot_be_carried_out_is_refused_before_anything_starts(home: Path) -> None:
    for arguments, named in (
        (("run",), "which plan?"),
        (("run", "quikc"), "did you mean quick?"),
        (("run", "quick", "--set", "users=0"), "--set users: 0 is not possible"),
        (("run", "quick", "--set", "blocks"), "not KEY=VALUE"),
        (("run", "--resume", str(home)), "holds no experiment"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert named in " ".join(result.output.split())
    assert not (home / "results").exists()


def test_dry_run_prints_the_schedule_and_starts_nothing(home: Path) -> None:
    result = invoke("run", "concurrency", "--set", "users=3,4", "--set", "blocks=2", "--dry-run")
    assert result.exit_code == 0
    assert "16 trials in 2 blocks" in " ".join(result.output.split())
    assert result.output.count("users=3") == 8
    assert not (home / "results").exists()


def test_sides_behind_the_name_of_a_plan_take_the_place_of_its_own(home: Path) -> None:
    result = invoke("run", "aa", "b", "b", "A", "--set", "blocks=1", "--dry-run")
    assert result.exit_code == 0
    assert "aa: 6 trials in 1 blocks" in " ".join(result.output.split())
    rows = [line.split()[2:] for line in result.output.splitlines()[1:7]]
    names = [" ".join(row[:-1]) for row in rows]
    assert sorted(names) == ["A", "A", "B 1st", "B 1st", "B 2nd", "B 2nd"]
    assert names == names[::-1]


def test_plans_lists_all_and_ends_with_1_if_one_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    (tmp_path / "experiments").mkdir()
    for name in ("quick", "aa"):
        (tmp_path / "experiments" / f"{name}.toml").symlink_to(ROOT / f"experiments/{name}.toml")
    assert invoke("plans").exit_code == 0
    (tmp_path / "experiments" / "wrong.toml").write_text('name = "aa"\nsides = ["a"]')
    result = invoke("plans")
    assert result.exit_code == 1
    assert "wrong.toml: sides" in " ".join(result.output.split())
    assert "two plans are called 'aa'" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["compare", "bench"])
def test_help_explains_every_option(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "--rounds" in result.output
    assert "results/" in result.output


def test_busy_machine_is_noted() -> None:
    assert busy_note({"load_average": [0.3, 9, 9], "cores": 2}) == ""
    assert "load average 3" in busy_note({"load_average": [3, 0, 0], "cores": 2})


def test_mix_is_refused_in_the_words_of_the_load_generator(home: Path) -> None:
    (home / "locustfiles").symlink_to(ROOT / "locustfiles")
    result = invoke("compare", "--mix", "dance=1")
    assert result.exit_code == 2
    assert "unknown operation 'dance'" in " ".join(result.output.split())
    assert not (home / "results").exists()
