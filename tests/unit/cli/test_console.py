"""What is printed is never cut, and whoever waits sees that something goes on."""

from __future__ import annotations

import io
import os
import pty

import pytest
from rich.table import Table
from typer.testing import CliRunner

from testbed.cli.main import make_app
from testbed.drive.pace import Pace
from testbed.report import console, progress
from testbed.report.console import Output
from tests.support.waiting import eventually

ADDRESS = "127.0.0.1:50051"
WORDS = "what it is for, in words that a line may end after"


@pytest.fixture
def table() -> Table:
    made = Table(box=None, pad_edge=False)
    for title in ("process", "gRPC", "about"):
        made.add_column(title, no_wrap=title != "about")
    made.add_row("coordinator", ADDRESS, WORDS)
    made.add_row("result", ADDRESS, "")
    return made


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize(
    "variables", [{"COLUMNS": "20"}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}]
)
def test_piped_table_is_whole_whatever_the_environment_says(
    table: Table, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = io.StringIO()
    Output(file=file, color_system=None).print(table)
    assert lines_of(file.getvalue())[1:] == [
        f"coordinator  {ADDRESS}  {WORDS}",
        f"result       {ADDRESS}",
    ]


def test_table_in_a_wide_terminal_is_fitted_to_it(table: Table) -> None:
    lines = lines_of(printed(table, columns=60))
    assert lines[1].startswith(f"coordinator  {ADDRESS}  what it is for")
    assert " ".join(line.split(ADDRESS)[-1].strip() for line in lines[1:4]).strip() == WORDS


def test_table_in_a_narrow_terminal_is_written_row_by_row(table: Table) -> None:
    lines = lines_of(printed(table, columns=30))
    assert lines == ["coordinator", f"  gRPC  {ADDRESS}", f"  about  {WORDS}", "result",
                     f"  gRPC  {ADDRESS}"]  # fmt: skip


def test_help_that_is_piped_cuts_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for command in ("run", "compare", "capacity"):
        assert "…" not in CliRunner().invoke(make_app(), [command, "--help"]).stdout


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is repeated every now and then be repeated at once."""
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.02)


@pytest.mark.usefixtures("soon")
def test_long_phase_says_again_and_again_what_goes_on_where_no_bar_shows_it() -> None:
    file = io.StringIO()
    pace = Pace(1, {"injecting": 2000.0}, lambda: 0.0)
    with progress.shown(Output(file=file), pace, 1) as on_progress:
        on_progress.trial(1, "design A")
        on_progress.phase("injecting")
        on_progress.detail("fault 3 of 100: kill worker")
        line = "[1/1] design A: injecting, fault 3 of 100: kill worker (about 33 min 20 s left)"
        eventually(lambda: lines_of(file.getvalue()).count(line) > 1, what="the line, twice")
        on_progress.trial_done("complete")
    ended = file.getvalue()
    assert lines_of(ended)[-1] == "[1/1] design A: complete"


@pytest.mark.usefixtures("soon")
def test_work_without_phases_is_repeated_too(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(console, "err", Output(file=file))
    with console.working("check") as on_progress:
        on_progress("reading, 12 %")
        eventually(lambda: lines_of(file.getvalue()).count("check: reading, 12 %") > 2)


def printed(table: Table, columns: int) -> str:
    """Return what a terminal of that width shows of a table."""
    user, program = pty.openpty()
    try:
        with os.fdopen(program, "w") as file:
            Output(file=file, color_system=None, soft_wrap=True, width=columns).print(table)
            return os.read(user, 65536).decode()
    finally:
        os.close(user)
