"""The command line: what it prints and how it exits."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
from typer.testing import CliRunner, Result

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.cli.main import make_app
from testbed.stack import records as stacks
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime
from tests.integration.stack.test_up import kill
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("known")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), arguments)


def test_up_prints_endpoints_metrics_and_the_next_command(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stacks.project_root())

    result = run("up", "fake", "--runtime", "local", "--slots", "4", "--set", "lease=9")

    assert result.exit_code == 0
    first, second = topology.processes
    assert f"endpoints  127.0.0.1:{second.port}" in result.stdout
    assert f"first 127.0.0.1:{first.metrics_port}" in result.stdout
    assert "4 slots, lease=9" in result.stdout
    assert result.stdout.endswith("locust -f locustfiles/mixed.py\n")
    assert "serves (2 of 2)" in result.stderr


def test_error_is_a_message_with_a_hint_and_exit_code_2() -> None:
    result = run("up", "fake", "--slots", "3")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: side 'fake': 3 slots cannot be shared out evenly")
    assert "Traceback" not in result.output


def test_unknown_design_is_answered_with_the_known_ones() -> None:
    for command in ("up", "down"):
        result = run(command, "c")
        assert result.exit_code == 2
        assert "there is no design 'c'" in result.stderr
        assert "a, b, fake" in result.stderr


@pytest.mark.parametrize("pair", ["lease", "=3", "lease="])
def test_setting_that_is_no_pair_is_refused(pair: str) -> None:
    result = run("up", "fake", "--set", pair)

    assert result.exit_code == 2
    assert f"--set {pair}: not KEY=VALUE" in result.stderr


def test_setting_given_twice_is_refused() -> None:
    result = run("up", "fake", "--set", "lease=7", "--set", "lease=8")

    assert "lease is given twice" in result.stderr


def test_status_without_a_stack_says_so_and_is_not_a_success() -> None:
    result = run("status")

    assert result.exit_code == 1
    assert "nothing is up" in result.stdout
    assert json.loads(run("status", "--json").stdout) == {"stacks": [], "prometheus": None}


def test_status_as_json_shows_where_each_process_is(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)

    # On a busy machine one of them may not answer in the time that it is given.
    result = eventually(
        lambda: run("status", "--json"), lambda shown: shown.exit_code == 0, what="health"
    )

    (stack,) = json.loads(result.stdout)["stacks"]
    assert (stack["design"], stack["healthy"]) == ("fake", True)
    assert stack["endpoints"] == list(record.endpoints)
    assert [each["pid"] for each in stack["processes"]] == [each.pid for each in record.processes]
    assert {each["health"] for each in stack["processes"]} == {"SERVING"}


def test_status_shows_a_dead_process_and_where_its_log_is(
    runtime: LocalRuntime, topology: Topology
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    kill(record.processes[0])

    result = run("status")

    assert result.exit_code == 1
    assert f"first died; its log: {record.processes[0].log}" in result.stdout
    assert "SERVING" in result.stdout


def test_status_of_a_damaged_state_file_says_what_to_do() -> None:
    stacks.state_file("fake").parent.mkdir(parents=True)
    stacks.state_file("fake").write_text("{")

    result = run("status")

    assert result.exit_code == 2
    assert str(stacks.state_file("fake")) in result.stderr
    assert "`testbed down fake` ends what is left" in result.stderr


def test_down_stops_every_stack_and_says_what_it_did(
    runtime: LocalRuntime, topology: Topology
) -> None:
    runtime.up(topology, StackSpec(2), silent)

    assert "design fake is down: 2 processes stopped" in run("down").stdout
    assert run("down").stdout == "nothing was up\n"


def test_a_stack_is_named_by_the_side_that_it_was_started_as_and_by_no_other(
    runtime: LocalRuntime, topology: Topology
) -> None:
    runtime.up(topology, StackSpec(2, side="fake+lease=7+slots=2"), silent)

    for command in (["logs"], ["down"], ["fault", "heal"]):
        wrong = run(*command, "fake+lease=8")
        assert wrong.exit_code == 2
        assert "the stack of design fake is fake+lease=7+slots=2" in wrong.stderr
    assert run("logs", "fake+slots=2+lease=7").exit_code == 0
    assert "nothing is broken in design fake" in run("fault", "heal", "FAKE+lease=7+slots=2").stdout
    assert "2 processes stopped" in run("down", "fake+lease=7+slots=2").stdout


def test_logs_of_a_process_are_printed_and_an_unknown_one_is_named(
    runtime: LocalRuntime, topology: Topology
) -> None:
    runtime.up(topology, StackSpec(2), silent)
    stacks.log_file("fake", "second").write_text("[bold]a line[/] of a log\n")

    assert run("logs", "fake", "second").stdout == "[bold]a line[/] of a log\n"
    assert "no log of 'third'" in run("logs", "fake", "third").stderr
    assert "has no logs" in run("logs", "nowhere").stderr


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "compare"])
def test_help_shows_every_command_with_an_example(command: str) -> None:
    assert command in run("--help").stdout
    assert f"testbed {command}" in run(command, "--help").stdout


def test_the_version_is_that_of_the_package() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"testbed {metadata.version('taskqueue-testbed')}\n"


def test_addresses_can_be_read_where_status_is_piped_through_a_narrow_terminal(
    runtime: LocalRuntime, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = runtime.up(topology, StackSpec(2), silent)
    monkeypatch.setenv("COLUMNS", "40")

    lines = run("status").stdout.splitlines()

    for process in record.processes:
        assert any(f" 127.0.0.1:{process.port} " in line for line in lines)
        assert any(record.metrics[process.name].removeprefix("127.0.0.1") in line for line in lines)
