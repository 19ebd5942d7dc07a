from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from testbed.analysis.comparison import compare
from testbed.experiment import session
from testbed.experiment.interrupts import Interrupted, Interrupts
from testbed.experiment.load import Locust, environment
from testbed.experiment.pace import Pace
from testbed.experiment.plan import Plan, PlanError, Traffic, check, parse_designs
from testbed.recording import files
from testbed.recording.reader import read_experiment, read_trial

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


def run(bench: Any, plan: Plan | None = None) -> tuple[session.Ended, Path]:
    folder = session.new_folder(bench.home / "results", "test")
    with bench.interrupts.installed():
        return session.run(plan or bench.plan, {}, folder, bench.tools), folder


def test_designs_take_turns_and_every_trial_has_a_fresh_stack(bench: Any) -> None:
    ended, folder = run(bench)
    assert ended == session.Ended(4)
    trials = [each for each in bench.stacks.done if each.startswith("up")]
    assert trials == ["up a", "up b", "up b", "up a"]
    for index, step in enumerate(bench.stacks.done[:8:2]):
        assert bench.stacks.done[2 * index + 1] == step.replace("up", "down")
    assert [(each.round, each.side) for each in headers(folder)] == [(1, 0), (1, 1), (2, 1), (2, 0)]
    assert {each.status for each in headers(folder)} == {"complete"}


def test_recorded_experiment_is_read_and_compared_from_its_folder(bench: Any) -> None:
    _, folder = run(bench)
    comparison = compare(read_experiment(folder))
    assert comparison.complete
    assert comparison.rounds == 2
    row = next(row for row in comparison.rows if row.metric.name == "requests_per_second")
    assert row.ratios == pytest.approx((1, 1), rel=0.01)


def test_design_compared_with_itself_keeps_its_sides_apart(bench: Any) -> None:
    plan = replace(bench.plan, designs=("a", "a"), rounds=1)
    _, folder = run(bench, plan)
    assert [each.side for each in headers(folder)] == [0, 1]
    assert compare(read_experiment(folder)).complete


def test_cpu_of_stack_and_generator_is_recorded(bench: Any) -> None:
    _, folder = run(bench, replace(bench.plan, rounds=1))
    rows = files.read_resources(folder / files.TRIALS / "001-a")
    assert {(row.role, row.process) for row in rows} >= {("stack", "server")}
    assert all(row.rss_bytes > 0 for row in rows if row.role == "stack")


def test_failed_generator_is_recorded_with_the_end_of_its_log_and_stops_the_run(
    bench: Any,
) -> None:
    bench.script = ENDS
    ended, folder = run(bench)
    assert ended.trials == 1
    assert "code 2" in ended.stopped
    assert "no such option" in ended.stopped
    assert headers(folder)[0].status == "failed"
    assert bench.stacks.done[:2] == ["up a", "down a"]
    assert not compare(read_experiment(folder)).complete


def test_generator_that_leaves_nothing_fails_the_trial(bench: Any) -> None:
    bench.script = SILENT
    ended, _ = run(bench)
    assert "left no load.json" in ended.stopped


def test_keep_going_runs_the_other_trials_after_a_failure(bench: Any) -> None:
    bench.stacks.broken = {"a": "port 50051 is taken"}
    ended, folder = run(bench, replace(bench.plan, keep_going=True))
    assert ended == session.Ended(4)
    states = [each.status for each in headers(folder)]
    assert states == ["failed", "complete", "complete", "failed"]
    assert headers(folder)[0].error == "port 50051 is taken"
    assert not compare(read_experiment(folder)).complete


def test_lost_job_stops_the_run_and_is_named(bench: Any) -> None:
    bench.lost = "NOT_FOUND: no such job"
    ended, folder = run(bench)
    assert ended.trials == 1
    assert "0000000000000001" in ended.stopped
    assert read_trial(folder / files.TRIALS / "001-a").jobs[0].lost


HANGS = "import time; time.sleep(60)"


def test_stack_that_ends_while_driven_fails_the_trial_at_once(bench: Any) -> None:
    gone = psutil.Popen(["true"])
    gone.wait()
    bench.stacks.pid = gone.pid
    bench.script = HANGS
    ended, _ = run(bench)
    assert "all 1 processes ended while they were driven" in ended.stopped


def test_process_that_ends_while_driven_is_named_with_its_log(bench: Any) -> None:
    gone = psutil.Popen(["true"])
    gone.wait()
    original = bench.stacks.up

    def up(design: str, slots: int) -> Any:
        record = original(design, slots)
        dead = replace(record.processes[0], name="worker", pid=gone.pid, log="worker.log")
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
    assert bench.stacks.done[:2] == ["up a", "down a"]
    assert bench.stacks.done.count("up a") == 1
    pid = int((folder / files.TRIALS / "001-a" / "pid").read_text())
    assert not psutil.pid_exists(pid)
    (header,) = headers(folder)
    assert (header.status, header.error) == ("interrupted", "stopped by the user")
    assert bench.interrupts.happened


def test_completed_trials_survive_an_interrupt(bench: Any) -> None:
    original = bench.stacks.up

    def up(design: str, slots: int) -> Any:
        if design == "b":
            os.kill(os.getpid(), signal.SIGINT)
        return original(design, slots)

    bench.stacks.up = up
    ended, folder = run(bench)
    assert (ended.trials, ended.interrupted) == (1, True)
    assert [each.status for each in headers(folder)] == ["complete", "interrupted"]
    comparison = compare(read_experiment(folder))
    assert [trial.valid for trial in comparison.trials] == [True, False]


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
    assert bench.stacks.done[:2] == ["up a", "down a"]
    assert headers(folder)[0].status == "failed"


def test_too_little_disk_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "NEEDED_BYTES", 1 << 80)
    with pytest.raises(session.NoRoom, match="MiB of free disk"):
        session.new_folder(tmp_path / "results", "test")


def test_latest_points_to_the_newest_folder_by_a_relative_link(tmp_path: Path) -> None:
    first = session.new_folder(tmp_path, "one")
    second = session.new_folder(tmp_path, "one")
    assert first != second
    session.point_latest(first)
    link = session.point_latest(second)
    assert link.resolve() == second.resolve()
    assert not os.path.isabs(os.readlink(link))


def test_every_impossible_option_is_named() -> None:
    traffic = Traffic(users=0, duration=-1, kind="nope", think_time=float("nan"), payload_bytes=-1)
    plan = Plan(("a", "x"), rounds=0, slots=0, name="../up", traffic=traffic)
    with pytest.raises(PlanError) as caught:
        check(plan, ["a", "b"], ["noop"])
    message = str(caught.value)
    for option in ("designs", "rounds", "slots", "name", "users", "duration", "kind"):
        assert f"--{option}" in message
    assert "--think-time nan" in message
    assert "--payload-bytes -1" in message


def test_defaults_are_possible() -> None:
    check(Plan(), ["a", "b"], ["sleep"])


@pytest.mark.parametrize("text", ["a", "a,b,c", "a,", ""])
def test_comparison_needs_two_designs(text: str) -> None:
    with pytest.raises(PlanError, match="--designs"):
        parse_designs(text)


def test_both_sides_get_the_same_traffic(bench: Any, tmp_path: Path) -> None:
    locust = Locust(tmp_path / "mixed.py", Traffic(users=7, warmup=1.5, duration=2, seed=9))
    first = list(locust(bench.stacks.up("a", 12), tmp_path))
    second = list(locust(bench.stacks.up("b", 12), tmp_path))
    assert first == second
    assert first[first.index("--seed") + 1] == "9"
    assert first[first.index("--run-time") + 1] == "4s"


def test_variables_that_would_change_the_traffic_do_not_reach_the_generator() -> None:
    given = {"LOAD_MIX": "submit=1", "LOCUST_USERS": "9", "PATH": "/bin"}
    assert environment(given) == {"PATH": "/bin"}


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
