from __future__ import annotations

import errno
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.drive import outputs
from testbed.drive.interrupts import Interrupted, Interrupts
from testbed.drive.load import LoadProcess, Locust
from testbed.drive.pace import Pace
from testbed.drive.ports import TrialFailed
from testbed.drive.statements import Statement
from testbed.drive.traffic import Traffic
from testbed.errors import TestbedError
from testbed.record import files
from testbed.record.damage import RecordingError
from testbed.record.reader import read_experiment, read_trial
from testbed.runs.compare import resume, session
from testbed.runs.compare.comparison import compare
from testbed.runs.compare.plan import Plan, Stop
from testbed.stack.records import ProcessBudget
from testbed.stack.runtimes.local.meter import StackMeter
from testbed.stack.sides.resolve import Deployment, resolve

GOOD_LOAD = "import shutil, sys; shutil.copytree(sys.argv[2], sys.argv[1], dirs_exist_ok=True)"
ENDS = "import sys; print('no such option'); sys.exit(2)"
SILENT = "pass"
INTERRUPTS_PARENT = """
import os, signal, sys, time
open(sys.argv[1] + "/pid", "w").write(str(os.getpid()))
os.kill(os.getppid(), signal.%s)
time.sleep(60)
"""


def headers(folder: Path) -> list[Any]:
    return [files.read_header(each) for each in sorted((folder / files.TRIALS).iterdir())]


def run(bench: Any, plan: Plan | None = None, **options: Any) -> tuple[session.RunEnd, Path]:
    folder = outputs.new_folder(bench.home / "results", "test")
    with bench.interrupts.installed():
        ended = session.run(plan or bench.plan, {}, folder, bench.tools, bench.workload, **options)
    return ended, folder


def driven(bench: Any) -> list[str]:
    """The stacks that were brought up for trials, not those only asked what they run with."""
    ups = [each for each in bench.stacks.done if each.startswith("up")]
    return ups[len(bench.plan.designs) :]


def test_every_block_drives_both_designs_on_fresh_stacks(bench: Any) -> None:
    ended, folder = run(bench)
    assert ended == session.RunEnd(8)
    ups = driven(bench)
    assert sorted(ups[:4]) == sorted(ups[4:]) == ["up a", "up a", "up b", "up b"]
    assert [ups[:4], ups[4:]] == [ups[3::-1], ups[:3:-1]]
    for index, step in enumerate(bench.stacks.done[:20:2]):
        assert bench.stacks.done[2 * index + 1] == step.replace("up", "down")
    assert {(each.block, each.side) for each in headers(folder)} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert {each.status for each in headers(folder)} == {"complete"}


def test_recorded_experiment_is_read_and_compared_from_its_folder(bench: Any) -> None:
    _, folder = run(bench)
    comparison = compare(read_experiment(folder))
    assert comparison.complete
    assert comparison.blocks == 2
    (cell,) = comparison.cells
    row = cell.row("requests_per_second")
    assert row is not None
    (against,) = row.against
    assert against.by_block == pytest.approx((1, 1))
    assert against.floor == pytest.approx(0)


def test_design_compared_with_itself_keeps_its_sides_apart(bench: Any) -> None:
    plan = replace(bench.plan, sides=("a", "a"), blocks=1)
    _, folder = run(bench, plan)
    assert sorted(each.side for each in headers(folder)) == [0, 0, 1, 1]
    assert compare(read_experiment(folder)).complete


def test_cpu_of_stack_and_generator_is_recorded(bench: Any) -> None:
    _, folder = run(bench, replace(bench.plan, blocks=1))
    rows = files.read_resources(next((folder / files.TRIALS).iterdir()))
    assert {(row.role, row.process) for row in rows} >= {("stack", "server")}
    assert all(row.rss_bytes > 0 for row in rows if row.role == "stack")


def test_each_process_is_sampled_once_after_the_drive(bench: Any) -> None:
    never = 1e9
    bench.stacks.meter = lambda stack: StackMeter(stack, never)
    _, folder = run(bench, replace(bench.plan, blocks=1))
    for path in (folder / files.TRIALS).iterdir():
        assert [row.role for row in files.read_resources(path)].count("stack") == 1


def test_failed_trial_is_recorded_and_run_once_more_before_the_run_stops(bench: Any) -> None:
    bench.script = ENDS
    ended, folder = run(bench)
    assert ended.trials == 2
    assert "code 2" in ended.stopped
    assert "no such option" in ended.stopped
    assert [(each.number, each.attempt, each.status) for each in headers(folder)] == [
        (1, 1, "failed"),
        (1, 2, "failed"),
    ]
    assert bench.stacks.done.count("up a") == bench.stacks.done.count("down a") - 1
    assert not compare(read_experiment(folder)).complete


def test_second_attempt_that_succeeds_makes_the_experiment_complete(bench: Any) -> None:
    load, calls = bench.load, []

    def fails_once(traffic: Traffic) -> Any:
        calls.append(traffic)
        bench.script = ENDS if len(calls) == 1 else GOOD_LOAD
        return load(traffic)

    bench.load = fails_once
    ended, folder = run(bench)
    assert (ended.trials, ended.stopped) == (9, "")
    comparison = compare(read_experiment(folder))
    assert comparison.complete
    assert [comparison.replaced(each) for each in comparison.trials] == [True] + [False] * 8
    assert "it is run once more" in bench.progress.ends[0]


def test_generator_that_leaves_nothing_fails_the_trial(bench: Any) -> None:
    bench.script = SILENT
    ended, _ = run(bench)
    assert "left no load.json" in ended.stopped


def test_keep_going_runs_the_other_trials_after_a_failure(bench: Any) -> None:
    audit = bench.audit

    def fails_for_a(endpoints: Any, accepted: Any, *rest: Any) -> Any:
        if bench.stacks.done[-1] == "up a":
            raise TestbedError("the audit broke")
        return audit(endpoints, accepted, *rest)

    bench.audit = fails_for_a
    ended, folder = run(bench, keep_going=True)
    assert (ended.trials, ended.stopped) == (12, "")
    failed = [each.design for each in headers(folder) if each.status == "failed"]
    assert failed == ["a"] * 8
    assert len(compare(read_experiment(folder)).missing) == 4


def test_run_without_any_usable_trial_in_its_first_block_stops(bench: Any) -> None:
    bench.script = ENDS
    ended, _ = run(bench, keep_going=True)
    assert (ended.trials, ended.stopped) == (8, "no trial of the first block could be used")


def test_lost_job_voids_the_trial_and_is_named(bench: Any) -> None:
    bench.lost = "NOT_FOUND: no such job"
    ended, folder = run(bench)
    assert ended.trials == 2
    assert "1 of 1 accepted jobs lost" in ended.stopped
    path = next((folder / files.TRIALS).iterdir())
    assert read_trial(path).jobs[0].lost


def test_stack_that_does_not_come_up_stops_before_anything_is_driven(bench: Any) -> None:
    bench.stacks.broken = {"b": "port 50061 is taken"}
    ended, folder = run(bench)
    assert (ended.trials, ended.stopped) == (0, "port 50061 is taken")
    assert not (folder / files.TRIALS).exists()


def test_side_with_fewer_slots_stops_the_comparison_and_is_named(bench: Any) -> None:
    bench.statements = {"b": Statement("b", {"slots": 2.0}, {})}
    ended, folder = run(bench)
    assert "slots in total: 12 in A and 2 in B" in ended.stopped
    assert ended.trials == 0
    assert not (folder / files.TRIALS).exists()


def test_what_each_side_reported_is_in_its_trial(bench: Any) -> None:
    _, folder = run(bench)
    assert {each.fairness["totals"]["slots"] for each in headers(folder)} == {12}


def test_budget_of_each_process_is_in_its_trial(bench: Any) -> None:
    for design in "ab":
        bench.statements[design] = Statement(
            design, budgets={"server": ProcessBudget(0.5, 1 << 28)}
        )
    _, folder = run(bench)
    assert [each.budget for each in headers(folder)] == [
        {"server": {"cpus": 0.5, "memory_bytes": 1 << 28}}
    ] * 8


PARSES = """
import json, os, sys
from locust.argument_parser import get_parser
given = get_parser().parse_args([])
found = [given.tags, given.processes, *map(os.environ.get, ("LOCUST_TAGS", "GRPC_DNS_RESOLVER"))]
json.dump([*found, __debug__], open(sys.argv[1] + "/parsed.json", "w"))
"""
HANGS = "import time; time.sleep(60)"


def test_stack_that_ends_while_driven_fails_the_trial_at_once(bench: Any) -> None:
    exited = psutil.Popen(["true"])
    exited.wait()
    bench.stacks.pid = exited.pid
    bench.script = HANGS
    ended, _ = run(bench)
    assert "all 1 processes ended while they were driven" in ended.stopped


def test_process_that_ends_while_driven_is_named_with_its_log(bench: Any) -> None:
    exited = psutil.Popen(["true"])
    exited.wait()
    original = bench.stacks.up

    def up(deployment: Deployment) -> Any:
        record = original(deployment)
        dead = replace(record.processes[0], name="worker", pid=exited.pid, log="worker.log")
        return replace(record, processes=(*record.processes, dead))

    bench.stacks.up = up
    bench.script = HANGS
    ended, _ = run(bench)
    assert "ended while driven: worker (log: worker.log)" in ended.stopped


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_while_driving_leaves_nothing_running_and_keeps_what_there_is(
    bench: Any, name: str
) -> None:
    bench.script = INTERRUPTS_PARENT % name
    ended, folder = run(bench)
    assert ended.interrupted
    assert len(driven(bench)) == 1
    (path,) = (folder / files.TRIALS).iterdir()
    assert not psutil.pid_exists(int((path / "pid").read_text()))
    (header,) = headers(folder)
    assert (header.status, header.error) == ("interrupted", "stopped by the user")
    assert bench.stacks.done[-1].startswith("down")
    assert bench.interrupts.happened


def interrupt_at(bench: Any, number: int) -> None:
    """Send a signal as the stack of the given trial comes up."""
    original, ups = bench.stacks.up, []

    def up(deployment: Deployment) -> Any:
        ups.append(deployment.design)
        if len(ups) == len(bench.plan.designs) + number:
            os.kill(os.getpid(), signal.SIGINT)
        return original(deployment)

    bench.stacks.up = up


def test_completed_trials_survive_an_interrupt(bench: Any) -> None:
    interrupt_at(bench, 2)
    ended, folder = run(bench)
    assert (ended.trials, ended.interrupted) == (1, True)
    assert [each.status for each in headers(folder)] == ["complete", "interrupted"]
    comparison = compare(read_experiment(folder))
    assert [trial.valid for trial in comparison.trials] == [True, False]


def test_resumed_run_keeps_valid_trials_and_completes_the_same_schedule(bench: Any) -> None:
    interrupt_at(bench, 3)
    _, folder = run(bench)
    kept = [each for each in headers(folder) if each.status == "complete"]
    bench.interrupts = Interrupts()
    earlier = files.read_json(folder / files.EXPERIMENT)
    ended = session.run(bench.plan, {}, folder, bench.tools, bench.workload, resumed=earlier)
    assert (len(kept), ended.trials, ended.stopped) == (2, 6, "")
    assert compare(read_experiment(folder)).complete
    after = [each for each in headers(folder) if each.status == "complete"]
    assert after[:2] == kept
    assert files.read_json(folder / files.EXPERIMENT)["schedule"] == earlier["schedule"]


def test_run_with_a_damaged_trial_is_not_resumed_and_left_as_it_is(bench: Any) -> None:
    interrupt_at(bench, 3)
    _, folder = run(bench)
    path = sorted(folder.glob(f"{files.TRIALS}/*/{files.RESOURCES}"))[0]
    path.write_bytes(path.read_bytes()[:-20])
    before = (folder / files.EXPERIMENT).read_text()
    bench.stacks.done.clear()
    with pytest.raises(RecordingError, match=f"{path} is damaged at line .*") as caught:
        session.run(
            bench.plan, {}, folder, bench.tools, bench.workload, resumed=resume.read(folder)
        )
    assert str(path.parent) in caught.value.hint
    assert (folder / files.EXPERIMENT).read_text() == before
    assert not any(each.startswith("up") for each in bench.stacks.done)


@pytest.mark.parametrize("recorded", ["", "[]", '{"plan": []}', '{"plan": {}, "schedule": [1]}'])
def test_damaged_record_of_an_experiment_is_not_resumed(tmp_path: Path, recorded: str) -> None:
    (tmp_path / files.EXPERIMENT).write_text(recorded)
    with pytest.raises(RecordingError, match=str(tmp_path / files.EXPERIMENT)):
        resume.read(tmp_path)


def test_what_differs_from_the_interrupted_run_is_named(bench: Any) -> None:
    _, folder = run(bench)
    earlier = files.read_json(folder / files.EXPERIMENT)
    assert list(resume.differences(earlier, bench.plan, {})) == []
    changed = replace(bench.plan, traffic=replace(bench.plan.traffic, job_ms=7))
    found = list(resume.differences(earlier, changed, {"lock_sha256": "other"}))
    assert found == [
        "plan traffic.job_ms: 20.0 then, 7 now",
        "requirements.lock: None then, other now",
    ]
    earlier["provenance"]["revisions"] = {"a@main": {"commit": "before"}}
    moved = {"revisions": {"a@main": {"commit": "after"}}}
    found = list(resume.differences(earlier, bench.plan, moved))
    assert found == ["revision of a@main: before then, after now"]
    del earlier["provenance"]["revisions"]
    earlier["provenance"]["declarations"] = {"h:1": {"slots": "6"}}
    edited = {"declarations": {"h:1": {"slots": "9", "durability": "disk"}}}
    found = list(resume.differences(earlier, bench.plan, edited))
    assert found == ["declaration of h:1: slots 6 then, slots 9, durability disk now"]


def test_blocks_end_once_the_named_metrics_are_known_well_enough(bench: Any) -> None:
    stop = Stop(("requests_per_second",), half_width=0.05, min_blocks=3)
    ended, folder = run(bench, replace(bench.plan, blocks=5, stop=stop))
    assert (ended.trials, ended.reason) == (12, session.NARROW)
    comparison = compare(read_experiment(folder))
    assert comparison.complete
    assert comparison.planned_trials == 12


def test_signal_is_held_back_by_a_shield_and_raised_once() -> None:
    repeats: list[int] = []
    interrupts = Interrupts(lambda: repeats.append(1))
    reached: list[int] = []

    def shielded() -> None:
        with interrupts.shield():
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append(1)

    with interrupts.installed():
        with pytest.raises(Interrupted):
            shielded()
        os.kill(os.getpid(), signal.SIGINT)
    assert reached == [1]
    assert repeats == [1]


def test_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts().installed():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_full_disk_stops_the_run_with_the_stack_down(bench: Any) -> None:
    def audit(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.audit = audit
    ended, folder = run(bench)
    assert "No space left on device" in ended.stopped
    assert "make room" in ended.stopped
    assert bench.stacks.done[-1].startswith("down")
    assert headers(folder)[0].status == "failed"


def test_too_little_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "NEEDED_BYTES", 1 << 80)
    with pytest.raises(outputs.DiskFull, match="MiB of free disk"):
        outputs.new_folder(tmp_path / "results", "test")


def test_latest_points_to_the_newest_folder_by_a_relative_link(tmp_path: Path) -> None:
    first = outputs.new_folder(tmp_path / "results", "one")
    second = outputs.new_folder(tmp_path / "results", "one")
    assert first != second
    outputs.point_latest(first)
    link = outputs.point_latest(second)
    assert link.resolve() == second.resolve()
    assert not os.path.isabs(os.readlink(link))


def test_load_is_waited_for_until_its_test_has_begun_or_it_has_ended(tmp_path: Path) -> None:
    begins = "import sys, time; open(sys.argv[1] + '/accepted-1.txt', 'w').close(); time.sleep(60)"
    for name, script in (("begins", begins), ("ends", ENDS)):
        folder = tmp_path / name
        folder.mkdir()
        load = LoadProcess((sys.executable, "-c", script, str(folder)), folder)
        try:
            if script == begins:
                load.wait_until_driving(60)
                assert (folder / "accepted-1.txt").exists()
            else:
                with pytest.raises(TrialFailed, match="ended with code 2"):
                    load.wait_until_driving(60)
        finally:
            load.stop()


def test_drive_that_was_too_short_is_judged_by_its_record_not_by_its_exit_code(bench: Any) -> None:
    bench.script = f"{GOOD_LOAD}; sys.exit(3)"
    bench.recorded = replace(bench.recorded, asked_seconds=20.0)
    ended, folder = run(bench)
    assert "the drive lasted 10.00 s of the 20 s asked for" in ended.stopped
    assert {each.status for each in headers(folder)} == {"complete"}


def test_both_sides_get_the_same_traffic(bench: Any, tmp_path: Path) -> None:
    locust = Locust(tmp_path / "mixed.py", Traffic(users=7, warmup=1.5, duration=2, seed=9))
    first = list(locust(bench.stacks.up(resolve("a")), tmp_path))
    second = list(locust(bench.stacks.up(resolve("b")), tmp_path))
    assert first == second
    assert first[first.index("--seed") + 1] == "9"
    assert first[first.index("--run-time") + 1] == "4s"


def test_configuration_of_the_user_s_own_does_not_reach_the_generator(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Locust reads what the command line does not say from HOME, its directory and variables."""
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in (".locust.conf", "locust.conf"):
        (mine / name).write_text("tags = submit\nprocesses = 2\n")
    monkeypatch.setenv("HOME", str(mine))
    monkeypatch.setenv("LOCUST_TAGS", "submit")
    monkeypatch.setenv("GRPC_DNS_RESOLVER", "native")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.chdir(mine)
    bench.script = PARSES
    _, folder = run(bench)
    path = next((folder / files.TRIALS).iterdir())
    assert json.loads((path / "parsed.json").read_text()) == [None, None, None, None, True]


def test_time_left_shrinks_with_the_clock_and_learns_from_the_phases() -> None:
    now = 0.0
    pace = Pace(2, {"up": 2.0, "drive": 10.0}, lambda: now)
    assert pace.left() == 24
    pace.enter("up")
    now = 1.0
    assert pace.left() == 23
    now = 4.0  # two seconds late: the other trial will be too
    pace.enter("drive")
    assert pace.left() == 24
    now = 14.0
    pace.end_trial()
    assert (pace.total(), pace.left()) == (28, 14)


def test_open_loop_is_driven_at_its_rate_without_users(tmp_path: Path, bench: Any) -> None:
    traffic = Traffic(rate=120.0, arrivals="even", max_in_flight=50)
    command = list(Locust(tmp_path / "mixed.py", traffic)(bench.stacks.up(resolve("a")), tmp_path))
    assert command[command.index("--rate") + 1] == "120"
    assert command[command.index("--arrivals") + 1] == "even"
    assert command[command.index("--max-in-flight") + 1] == "50"
    assert "--think-time" not in command
