"""Where the command line meets the system: paths, folders that cannot be written, closed pipes."""

from __future__ import annotations

import errno
import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.testing import CliRunner, Result

from testbed import hints
from testbed.cli import commands
from testbed.cli import main as cli
from testbed.cli.commands import run as run_command
from testbed.drive import outputs, plan_reader
from testbed.report import console
from testbed.runs.compare import planfile, resume
from testbed.runs.compare import run as runner
from testbed.stack import records as stacks
from tests.support.stacks import ROOT

PLAN = """
name = "mine"
sides = ["a", "b"]
blocks = 1
warmup = 1
duration = 2
[traffic]
users = 2
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own whose path has a space and umlauts."""
    folder = tmp_path / "Ärger mit Öl"
    folder.mkdir()
    for name in ("experiments", "locustfiles", "pyproject.toml", "requirements.lock"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(folder))
    return folder


@pytest.fixture
def traffic_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's own check of the traffic takes seconds, and is not what a test is about."""
    monkeypatch.setattr("testbed.drive.load.Locust.check", lambda *_: None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.make_app(), arguments)


def in_a_shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``testbed`` is this one."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'testbed() {{ "$PYTHON" -m testbed "$@"; }}\n{line}'],
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


COMMANDS = [
    ("calibrate", "--quick"),
    ("bench", "--quick"),
    ("capacity", "--quick"),
    ("run", "quick"),
    ("compare",),
    ("faults", "quick"),
]


@pytest.mark.usefixtures("traffic_unchecked")
@pytest.mark.parametrize("taken", ["results", stacks.STATE])
@pytest.mark.parametrize("command", COMMANDS, ids=[each[0] for each in COMMANDS])
def test_results_that_cannot_be_written_are_a_message_and_2_before_anything_starts(
    home: Path, command: tuple[str, ...], taken: str
) -> None:
    (home / taken).touch()
    result = run(*command)

    assert result.exit_code == 2, result.output
    assert "error: File exists: " in result.stderr or "error: Not a directory: " in result.stderr
    assert "a file is where a folder should be" in result.stderr
    assert "Raw data" not in result.stderr
    assert not list(home.glob("results/*/*"))


@pytest.mark.usefixtures("traffic_unchecked")
def test_results_whose_latest_is_no_link_are_refused_before_anything_starts(home: Path) -> None:
    (home / "results" / "latest").mkdir(parents=True)

    result = run("calibrate", "--quick")

    assert result.exit_code == 2
    assert "latest is no link" in result.stderr


def test_report_and_check_of_what_cannot_be_read_end_with_2(home: Path, tmp_path: Path) -> None:
    for arguments in (["report", "nowhere"], ["check", "nowhere"], ["check", "x" * 300]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_state_that_cannot_be_written_keeps_a_stack_from_being_started(home: Path) -> None:
    (home / stacks.STATE).touch()

    result = run("up", "a", "--runtime", "local")

    assert result.exit_code == 2
    assert str(home / stacks.STATE) in result.stderr


@pytest.mark.usefixtures("traffic_unchecked")
@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EROFS, "results, state and logs are written"),
        (errno.EACCES, "results, state and logs are written"),
        (errno.ENOSPC, "make room"),
        (errno.EMFILE, ""),
    ],
)
def test_every_error_of_the_system_is_a_message_and_2(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(outputs, "new_folder", fail)
    result = run("calibrate")

    assert result.exit_code == 2
    assert f"error: {os.strerror(number)}: some/file" in result.stderr
    assert hint in result.stderr


@pytest.mark.usefixtures("traffic_unchecked")
def test_error_without_a_number_is_a_defect_and_keeps_its_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TimeoutError("somebody forgot to catch this")

    monkeypatch.setattr(outputs, "new_folder", fail)
    assert isinstance(run("calibrate").exception, TimeoutError)


def test_relative_paths_are_resolved_where_the_command_line_is_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is driven has the project as its working directory, whatever the user's is."""
    recorded = tmp_path / "elsewhere" / "results" / "one"
    recorded.mkdir(parents=True)
    data = plan_reader.load(ROOT / "experiments" / "quick.toml")
    plan = planfile.parse(data, plan_reader.PlanSource("x"), runner.kinds())
    monkeypatch.setattr(resume, "read", lambda _folder: {"plan": plan.as_data(), "schedule": []})
    resumed: list[Path] = []

    def recorded_run(*_: object, folder: Path, **__: object) -> int:
        resumed.append(folder)
        return 0

    monkeypatch.setattr(run_command.runner, "run_plan", recorded_run)
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert run("run", "--resume", "results/one").exit_code == 0
    assert resumed == [recorded]


def test_every_path_that_a_command_takes_is_resolved() -> None:
    taken = {}
    for module in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        command = getattr(import_module(module.name), module.name.rpartition(".")[2])
        for name, hint in get_type_hints(command, include_extras=True).items():
            if "Path" in str(get_args(hint)[:1]):
                taken[f"{module.name} {name}"] = get_args(hint)[1].resolve_path
    assert len(taken) >= 4
    assert all(taken.values()), taken


def test_plan_by_a_relative_path_and_its_fault_plan_work_from_elsewhere(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(PLAN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    seen: list[object] = []
    monkeypatch.setattr(run_command.runner, "run_plan", lambda plan, **_: seen.append(plan) or 0)

    assert run("run", "mine.toml", "--set", "faults=my-faults.toml").exit_code == 0
    assert seen[0].faults == str(tmp_path / "my-faults.toml")  # type: ignore[attr-defined]


def test_relative_home_is_the_same_for_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(stacks.HOME_VARIABLE, home.name)

    assert run("status").exit_code == 1
    assert os.environ[stacks.HOME_VARIABLE] == str(home)


def test_hints_can_be_pasted_into_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mein Öl"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    line = hints.command("testbed", "run", "--resume", folder)

    printed = in_a_shell(f'for each in {line}; do echo "$each"; done')

    program, *rest = printed.stdout.splitlines()
    assert rest == ["run", "--resume", str(folder)]
    assert program == "testbed" or (tmp_path / program).resolve().exists()
    assert hints.path(folder) == "'mein Öl'"


def test_closed_pipe_ends_a_command_quietly_and_with_no_verdict(home: Path) -> None:
    done = in_a_shell("testbed plans | true; echo ${PIPESTATUS[0]}")

    assert done.stdout.split() in ([str(console.PIPE_EXIT)], ["0"]), "0 if it was faster than true"
    assert done.stderr == ""


def test_locale_without_umlauts_breaks_nothing(home: Path) -> None:
    variables = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = in_a_shell("testbed plans", **variables)

    assert done.returncode == 0, done.stderr
    assert "quick" in done.stdout
    assert "Traceback" not in done.stderr
