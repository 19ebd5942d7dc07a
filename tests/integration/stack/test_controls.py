"""Injecting faults into local processes and healing them, from the record of their stack alone."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from common.links.fault import LinkFault
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.runs.faults.heal import heal_all
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.controls import Controls
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.integration.stack.fake_process import DEAF, PARENT
from tests.integration.stack.fakes import make_topology
from tests.support.waiting import eventually

Behave = Callable[..., None]


@pytest.fixture
def up(runtime: LocalRuntime, topology: Topology) -> Callable[[], StackRecord]:
    return lambda: runtime.up(topology, StackSpec(2, settings={"stop_grace": "0.2"}), silent)


def root(record: StackRecord, name: str = "first") -> psutil.Process:
    return psutil.Process({each.name: each.pid for each in record.processes}[name])


def has_exited(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def health(runtime: LocalRuntime, record: StackRecord) -> dict[str, str]:
    return {each.record.name: each.health for each in runtime.status(record)}


def test_killed_process_takes_what_it_started_with_it(
    runtime: LocalRuntime, up: Callable[[], StackRecord], behave: Behave
) -> None:
    behave(first=PARENT)
    record = up()
    first = root(record)
    (child,) = first.children()

    runtime.controls(record).kill("first")

    assert has_exited(first)
    assert has_exited(child)
    assert [each.name for each in record.alive()] == ["second"]


def test_started_again_it_serves_on_its_ports_and_is_in_the_record(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    record = up()
    controls = runtime.controls(record)
    log = Path(record.processes[0].log)
    log.write_text("output from before\n")
    controls.kill("first")

    assert controls.start("first")

    now = controls.record
    old, new = record.processes[0], now.processes[0]
    assert new.pid != old.pid
    assert dataclasses.replace(new, pid=old.pid, create_time=old.create_time) == old
    assert now.processes[1] == record.processes[1]
    assert health(runtime, now) == {"first": "SERVING", "second": "SERVING"}
    assert root(now).environ()["TASKQUEUE_NAME"] == "first"
    assert log.read_text().startswith("output from before\n")
    assert not controls.start("first"), "one that runs is left alone"
    assert stacks.load("fake") == now


def test_another_terminal_that_knows_the_design_alone_can_do_it(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    first = runtime.controls(up())
    first.kill("second")
    record = stacks.load("fake")
    assert record is not None

    assert runtime.controls(record).start("second")

    assert first.record.alive() == first.record.processes


def test_paused_process_and_its_children_stand_still_until_they_are_resumed(
    runtime: LocalRuntime, up: Callable[[], StackRecord], behave: Behave
) -> None:
    behave(first=PARENT)
    record = up()
    controls = runtime.controls(record)
    family = [root(record), *root(record).children()]

    controls.pause("first")

    assert [each.status() for each in family] == [psutil.STATUS_STOPPED] * 2
    assert controls.resume("first")
    assert psutil.STATUS_STOPPED not in [each.status() for each in family]
    assert not controls.resume("first"), "nothing was paused"
    assert health(runtime, record)["first"] == "SERVING"


def test_stopped_process_ended_gracefully(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    record = up()
    first = root(record)

    runtime.controls(record).stop("first")

    assert has_exited(first)
    assert "stopped when asked" in Path(record.processes[0].log).read_text()


def test_process_that_will_not_stop_is_killed(
    runtime: LocalRuntime, up: Callable[[], StackRecord], behave: Behave
) -> None:
    behave(first=DEAF)
    record = up()
    first = root(record)

    dataclasses.replace(runtime, margin=0.1).controls(record).stop("first")

    assert has_exited(first)


def test_down_ends_a_stack_of_which_one_is_paused_and_one_dead(
    runtime: LocalRuntime, topology: Topology, up: Callable[[], StackRecord], behave: Behave
) -> None:
    behave(second=PARENT)
    record = up()
    controls = runtime.controls(record)
    child = root(record, "second").children()[0]
    controls.pause("second")
    controls.kill("first")

    stopped = runtime.down("fake", silent)

    assert (stopped.ended, stopped.killed) == (("second",), ())
    assert "already dead: first" in stopped.notice
    assert not processes.strays("fake")
    eventually(lambda: has_exited(child), what="the end of the child")
    with pytest.raises(TestbedError, match="is down"):
        controls.start("first")


def test_healing_a_stack_heals_all_of_it_and_says_what(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    controls = runtime.controls(up())
    controls.pause("first")
    controls.kill("second")

    done = list(heal_all(controls))

    assert done == ["first goes on", "second is started and serves"]
    assert set(health(runtime, controls.record).values()) == {"SERVING"}
    assert list(heal_all(controls)) == []


@pytest.mark.parametrize(
    "use",
    [
        lambda controls: controls.kill("third"),
        lambda controls: controls.start("third"),
        lambda controls: controls.resume("links"),
    ],
)
def test_unknown_process_is_answered_with_the_known_ones(
    runtime: LocalRuntime, up: Callable[[], StackRecord], use: Callable[[Controls], object]
) -> None:
    controls = runtime.controls(up())

    with pytest.raises(TestbedError, match="has no process") as caught:
        use(controls)

    assert "first, second" in caught.value.hint


@pytest.mark.parametrize("verb", ["kill", "stop", "pause"])
def test_dead_process_cannot_be_hit_again(
    runtime: LocalRuntime, up: Callable[[], StackRecord], verb: str
) -> None:
    controls = runtime.controls(up())
    controls.kill("first")

    with pytest.raises(TestbedError, match="first of design fake is dead") as caught:
        getattr(controls, verb)("first")

    assert "testbed fault heal fake" in caught.value.hint


def test_controls_of_a_stack_that_is_no_more_touch_no_other_one(
    runtime: LocalRuntime, topology: Topology, up: Callable[[], StackRecord]
) -> None:
    controls = runtime.controls(dataclasses.replace(up(), started="2001-01-01T00:00:00+00:00"))

    with pytest.raises(TestbedError, match="of 2001-01-01T00:00:00"):
        controls.kill("first")


def test_what_a_stack_was_not_started_with_is_refused_with_how_to_have_it(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    controls = runtime.controls(up())
    for use, option in (
        (lambda: controls.set_link("second", "first", LinkFault(lose_requests=True)), "--links"),
        (lambda: controls.isolate("first"), "--links"),
        (lambda: controls.set_clock("first", 3600), "--clock"),
    ):
        with pytest.raises(TestbedError) as caught:
            use()
        assert f"testbed up fake {option}" in caught.value.hint
    assert controls.clear_links() == 0
    assert not controls.rejoin("first")


def test_process_that_does_not_come_up_again_is_shown_with_its_log(
    runtime: LocalRuntime, up: Callable[[], StackRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    controls = runtime.controls(up())
    controls.kill("first")
    monkeypatch.setenv("FAKE_BEHAVIOUR", "first=crash")

    with pytest.raises(TestbedError, match="exit code 3") as caught:
        controls.start("first")

    assert "cannot open the ledger" in str(caught.value)


def test_meter_counts_what_was_used_before_a_process_was_started_again(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    record = up()
    controls, meter = runtime.controls(record), runtime.meter(record)
    before = meter.read()["first"]
    controls.kill("first")
    assert meter.read()["first"] is None
    controls.start("first")

    after = meter.read()["first"]

    assert before is not None
    assert after is not None
    assert before.cpu_seconds > 0
    alone = runtime.meter(controls.record).read()["first"]
    assert alone is not None
    assert after.cpu_seconds == pytest.approx(before.cpu_seconds + alone.cpu_seconds, abs=0.2)
    assert after.cpu_seconds > before.cpu_seconds


def test_links_of_a_stack_are_one_more_process_that_is_measured_with_nobody(
    runtime: LocalRuntime, topology: Topology, free_block: int
) -> None:
    linked = dataclasses.replace(topology, links_port=free_block)
    record = runtime.up(linked, StackSpec(2, links=True), silent)

    assert record.links is not None
    assert record.links.port == free_block
    assert set(health(runtime, record)) == {"links", "first", "second"}
    assert {each.name for each in record.measured} == {"first", "second"}
    assert set(runtime.meter(record).read()) == {"first", "second"}
    controls = runtime.controls(record)
    controls.set_link("second", "first", LinkFault(lose_answers=True))
    assert controls.clear_link("second", "first")
    controls.isolate("first")
    assert controls.rejoin("first")
    assert controls.clear_links() == 0
    with pytest.raises(TestbedError, match="there is no link first>second"):
        controls.set_link("first", "second", LinkFault())
    stopped = runtime.down("fake", silent)
    assert sorted(stopped.ended) == ["first", "links", "second"]


def test_signal_that_ends_a_process_does_not_wait_for_it_to_go_on(
    runtime: LocalRuntime, up: Callable[[], StackRecord]
) -> None:
    record = up()
    root(record).send_signal(signal.SIGSTOP)

    runtime.controls(record).stop("first")

    assert "stopped when asked" in Path(record.processes[0].log).read_text()


def test_fake_design_has_no_ports_for_links(runtime: LocalRuntime) -> None:
    with pytest.raises(TestbedError, match="has no ports for links"):
        runtime.up(make_topology([1, 2, 3, 4]), StackSpec(2, links=True), silent)
