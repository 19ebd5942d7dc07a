"""``testbed fault``: what it does, says and leaves behind."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.cli.main import make_app
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime
from tests.integration.stack.fakes import command
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("known")
Up = Callable[..., StackRecord]
# What is asked, what the error says, and what its hint.
MISTAKES = (
    (("kil", "fake"), "there is no kind of fault 'kil'", "kinds: client_kill, clock, cut"),
    (("kill",), "which design? none is named", "up: fake"),
    (("kill", "c"), "there is no design 'c'", "a, b, fake"),
    (("kill", "a"), "design a is not up", "testbed up a"),
    (("kill", "fake"), "which target? none is named", "one of: first, second"),
    (("kill", "fake", "third"), "kill cannot hit 'third'", "targets: first, second"),
    (("cut", "fake", "first:second"), "cut cannot hit 'first:second'", "second:first"),
    (("kill", "fake", "first", "x=1"), "unknown parameter: x", "kill has none"),
    (("delay", "fake", "all", "seed"), "seed: not KEY=VALUE", "request_ms=300"),
    (("delay", "fake", "all", "seed=-1"), "seed=-1: must be a number from 0", "random numbers"),
    (("cut", "fake", "second:first"), "design fake runs without links", "testbed up fake --links"),
    (("clock", "fake", "first"), "the clocks of this stack", "testbed up fake --clock"),
    (("kill", "fake", "first", "--for", "-1"), "--for -1: must be from 0", ""),
)


@pytest.fixture
def up(runtime: LocalRuntime, topology: Topology, free_block: int) -> Iterator[Up]:
    linked = dataclasses.replace(topology, links_port=free_block)
    yield lambda **spec: runtime.up(linked, StackSpec(2, **spec), silent)
    runtime.down("fake", silent)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["fault", *arguments])


def pids() -> dict[str, int]:
    record = stacks.load("fake")
    assert record is not None
    return {each.name: each.pid for each in record.processes}


def test_list_explains_every_kind_and_names_the_targets_of_a_design() -> None:
    output = run("list").stdout
    for kind in ("kill", "restart", "pause_short", "cut_answers", "repeat", "isolate", "clock"):
        assert kind in output
    assert "--links" in output
    assert "request_ms=100" in output
    assert "targets" not in output
    assert "second:first" in run("list", "fake").stdout


def test_killed_process_is_started_again_when_the_fault_is_over(up: Up) -> None:
    before = up()

    result = run("kill", "fake", "first", "--for", "0.1")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("begun: kill first, for 0.1 s")
    assert "healed: kill first" in result.stdout
    assert pids()["first"] != before.processes[0].pid
    assert pids()["second"] == before.processes[1].pid


@pytest.mark.parametrize("leave", [("--keep",), ("--for", "0")])
def test_what_is_kept_stays_until_the_stack_is_healed(up: Up, leave: tuple[str, ...]) -> None:
    record = up()

    result = run("kill", "fake", "second", *leave)

    assert "until `testbed fault heal fake`" in result.stdout
    assert [each.name for each in record.alive()] == ["first"]
    assert run("heal", "fake").stdout == "healed: second is started and serves\n"
    assert run("heal", "fake").stdout == "nothing is broken in design fake\n"


def test_link_is_cut_by_a_name_that_a_shell_leaves_alone(up: Up) -> None:
    up(links=True)

    result = run("delay", "fake", "second:first", "--for", "0.1", "request_ms=7")

    assert result.exit_code == 0, result.output
    assert "begun: delay second>first" in result.stdout
    run("cut", "fake", "second:first", "--keep")
    assert run("heal", "fake").stdout == "healed: 1 links carry everything again\n"


def test_ctrl_c_mends_at_once_and_leaves_nothing_broken(up: Up, topology: Topology) -> None:
    record = up()
    running = command("fault", "kill", "fake", "first", "--for", "600", topology=topology)
    assert running.stdout is not None
    assert running.stdout.readline().startswith("begun: kill first")
    assert "first" not in [each.name for each in record.alive()]

    os.kill(running.pid, signal.SIGINT)
    output, complaints = running.communicate(timeout=60)

    assert running.returncode == 130, complaints
    assert "healed: kill first" in output
    assert "interrupted" in complaints
    now = stacks.load("fake")
    assert now is not None
    eventually(lambda: len(now.alive()) == 2, what="two processes")


def test_mistake_is_named_with_what_to_do_and_nothing_is_broken(up: Up) -> None:
    record = up()
    for arguments, message, hint in MISTAKES:
        result = run(*arguments)

        assert result.exit_code == 2, result.output
        assert f"error: {message}" in result.stderr
        assert hint in result.stderr
        assert record.alive() == record.processes
        assert "healed" not in result.stdout


def test_what_is_dead_already_is_not_killed_again(up: Up) -> None:
    up()
    run("kill", "fake", "first", "--keep")

    result = run("pause_long", "fake", "first")

    assert result.exit_code == 2
    assert "first of design fake is dead already" in result.stderr
    assert "testbed fault heal fake" in result.stderr


def test_stack_that_is_not_up_yet_is_left_alone(up: Up) -> None:
    stacks.save(dataclasses.replace(up(), ready=False))

    result = run("kill", "fake", "first")

    assert "design fake is not up yet" in result.stderr
