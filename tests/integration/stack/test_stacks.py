"""State files."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from testbed.errors import StateError
from testbed.stack import records as stacks
from testbed.stack.records import ProcessBudget, ProcessRecord, StackRecord


def make_record(design: str = "fake", **changes: object) -> StackRecord:
    me = psutil.Process()
    process = ProcessRecord("only", me.pid, me.create_time(), 1234, "/log", ("other",))
    record = StackRecord(
        design,
        "local",
        ("127.0.0.1:1234",),
        {"only": "127.0.0.1:2234"},
        (process,),
        12,
        {"lease": "9"},
        "2026-01-01T00:00:00+00:00",
        ready=True,
    )
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]


def test_saved_stack_is_found_as_it_was() -> None:
    stacks.save(make_record())

    assert stacks.find() == [make_record()]


@pytest.mark.parametrize("budget", [ProcessBudget(0.5, 1 << 28), ProcessBudget(cpus=0.5), None])
def test_budget_of_a_stack_is_found_as_it_was(budget: ProcessBudget | None) -> None:
    stacks.save(make_record(budget=budget))

    assert stacks.find() == [make_record(budget=budget)]


def test_state_file_from_before_there_were_budgets_is_read() -> None:
    stacks.save(make_record())
    path = stacks.state_file("fake")
    data = json.loads(path.read_text())
    del data["budget"]
    path.write_text(json.dumps(data))

    assert stacks.load("fake") == make_record()


def test_stacks_are_found_by_design() -> None:
    stacks.save(make_record("a"))
    stacks.save(make_record("b"))

    assert [each.design for each in stacks.find()] == ["a", "b"]
    assert [each.design for each in stacks.find("b")] == ["b"]
    assert stacks.find("c") == []


def test_stack_that_is_not_ready_is_not_found() -> None:
    stacks.save(make_record(ready=False))

    assert stacks.find() == []
    assert stacks.load("fake") == make_record(ready=False)


def test_stack_whose_processes_have_ended_is_not_found() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as exited:
        exited.wait()
    dead = ProcessRecord("only", exited.pid, psutil.Process().create_time() - 50, 1234, "/log")
    stacks.save(make_record(processes=(dead,)))

    assert stacks.find() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', '{"format": 99}'])
def test_damaged_state_file_is_named(text: str) -> None:
    stacks.save(make_record())
    stacks.state_file("fake").write_text(text)

    with pytest.raises(StateError, match=r"stack\.json is damaged") as caught:
        stacks.find()

    assert "testbed down fake" in caught.value.hint


def test_failed_write_leaves_the_old_state_whole() -> None:
    stacks.save(make_record())

    with pytest.raises(TypeError):
        stacks.save(make_record(settings={"lease": object()}))

    assert stacks.find() == [make_record()]
    assert list(stacks.folder_of("fake").iterdir()) == [stacks.state_file("fake")]


def test_forgotten_stack_leaves_no_file() -> None:
    stacks.save(make_record())
    (stacks.folder_of("fake") / "stack-abc.tmp").touch()

    stacks.forget("fake")
    stacks.forget("fake")

    assert list(stacks.folder_of("fake").iterdir()) == []


def test_root_is_the_nearest_directory_with_a_project_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(stacks.HOME_VARIABLE)
    (tmp_path / "project" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "project" / "deep")

    assert stacks.project_root() == tmp_path / "project"


def test_module_needs_neither_grpc_nor_the_command_line() -> None:
    probe = "import sys, json, testbed.stack.records; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.check_output([sys.executable, "-c", probe], text=True))

    assert not {"grpc", "typer", "rich", "google"} & set(loaded)
