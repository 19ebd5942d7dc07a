from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from common.domain.job import MAX_OUTPUT_BYTES, JobState
from common.handlers.registry import Handler, HandlerRegistry, JobFailed, load
from common.worker.executor import JobExecutor
from tests.support.waiting import eventually_async as eventually

BOUND = 20.0
LONG = b'{"milliseconds": 600000}'

CPU_KINDS = """
import os, sys, time

def die(payload): os._exit(int(payload))
def leave(payload): sys.exit("left")
def big(payload): return bytes(int(payload))
def wrong(payload): return "text"
def raises(payload): raise Odd(1, 2)
def pid(payload): return str(os.getpid()).encode()

class Odd(Exception):
    def __init__(self, one, two): super().__init__("odd \\ud800")
"""


@pytest.fixture
async def executing():
    """Makes executors, which are closed at the end."""
    made = []

    def make(registry: HandlerRegistry | None = None, **settings) -> JobExecutor:
        made.append(JobExecutor(registry or load(), **settings))
        return made[-1]

    yield make
    for runs in made:
        await runs.close()


@pytest.fixture
def cpu_kinds(tmp_path, monkeypatch):
    """Registers CPU handlers that misbehave, from a module that processes can import."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "misbehaving_kinds.py").write_text(CPU_KINDS)
    module = importlib.import_module("misbehaving_kinds")
    names = ["die", "leave", "big", "wrong", "raises", "pid"]
    yield HandlerRegistry(
        Handler(name, "", bytes, getattr(module, name), burns_cpu=True) for name in names
    )
    del sys.modules["misbehaving_kinds"]


def processes_for_work() -> list[psutil.Process]:
    """The processes that the fork server of this process has forked."""
    return [
        each
        for child in psutil.Process().children()
        if "forkserver" in " ".join(child.cmdline())
        for each in child.children()
    ]


async def until_one_computes() -> psutil.Process:
    return await eventually(first_that_computes)


def first_that_computes() -> psutil.Process | None:
    for process in processes_for_work():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cpu_times().user > 0.3:
                return process
    return None


@pytest.mark.parametrize("kind", load().names())
async def test_every_kind_runs_with_the_empty_payload(executing, assignment, kind) -> None:
    runs = executing()
    outcome = await runs.run(assignment("a", kind))

    assert outcome.state is (JobState.FAILED if kind == "fail" else JobState.DONE)


async def test_output_of_a_cpu_handler_comes_back(executing, assignment) -> None:
    runs = executing()
    outcome = await runs.run(assignment("a", "word_count", b"a b a"))

    assert json.loads(outcome.output)["distinct"] == 2


async def test_failure_keeps_the_reason_that_the_handler_gave(executing, assignment) -> None:
    runs = executing()
    payload = json.dumps({"reason": "DISK_FULL", "message": "\ud800"}).encode()
    failure = (await runs.run(assignment("a", "fail", payload))).failure

    assert (failure.reason, failure.message) == ("DISK_FULL", "?")


@pytest.mark.parametrize(
    ("kind", "payload", "reason", "message"),
    [
        ("nap", b"", "UNKNOWN_KIND", "'nap' is unknown"),
        ("sleep", b"{", "UNREADABLE_PAYLOAD", "not JSON"),
        ("spin", b"{", "UNREADABLE_PAYLOAD", "not JSON"),
    ],
)
async def test_job_that_cannot_be_run_fails_with_an_explanation(
    executing, assignment, kind, payload, reason, message
) -> None:
    runs = executing()
    failure = (await runs.run(assignment("a", kind, payload))).failure

    assert failure.reason == reason
    assert message in failure.message


@pytest.mark.parametrize(
    ("raised", "reason", "message"),
    [
        (OSError("no disk"), "HANDLER_ERROR", "OSError: no disk"),
        (SystemExit("left"), "HANDLER_ERROR", "SystemExit: left"),
        (TimeoutError("its own"), "HANDLER_ERROR", "TimeoutError: its own"),
        (JobFailed("NO_LUCK", "today"), "NO_LUCK", "today"),
        (KeyError("x" * 9000), "HANDLER_ERROR", "KeyError: 'xxx"),
    ],
)
async def test_whatever_an_async_handler_raises_becomes_a_failure(
    executing, assignment, raised, reason, message
) -> None:
    async def raises(params: bytes) -> bytes:
        raise raised

    runs = executing(HandlerRegistry([Handler("odd", "", bytes, raises)]))
    failure = (await runs.run(assignment("a", "odd", timeout=10_000_000))).failure

    assert failure.reason == reason
    assert failure.message.startswith(message)
    assert len(failure.message) <= 2000


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        ("leave", "HANDLER_ERROR", "SystemExit: left"),
        ("raises", "HANDLER_ERROR", "Odd: odd ?"),
        ("wrong", "HANDLER_ERROR", "TypeError: the handler returned str, not bytes"),
    ],
)
async def test_whatever_a_cpu_handler_raises_becomes_a_failure(
    executing, assignment, cpu_kinds, kind, reason, message
) -> None:
    runs = executing(cpu_kinds)
    failure = (await runs.run(assignment("a", kind))).failure

    assert (failure.reason, failure.message) == (reason, message)


async def test_output_over_the_limit_fails_the_job_and_one_at_the_limit_does_not(
    executing, assignment, cpu_kinds
) -> None:
    runs = executing(cpu_kinds)
    fits, exceeds = [
        await runs.run(assignment("a", "big", str(size).encode()))
        for size in (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 1)
    ]

    assert len(fits.output) == MAX_OUTPUT_BYTES
    assert exceeds.failure.reason == "OUTPUT_TOO_LARGE"


@pytest.mark.parametrize("kind", ["sleep", "spin"])
async def test_execution_timeout_stops_either_sort_of_job(executing, assignment, kind) -> None:
    runs = executing()
    failure = (await runs.run(assignment("a", kind, LONG, timeout=100_000))).failure

    assert processes_for_work() == []
    assert failure.reason == "EXECUTION_TIMEOUT"
    assert "0.1 s" in failure.message


async def test_job_within_its_execution_timeout_is_done(executing, assignment) -> None:
    runs = executing()
    for kind in ("sleep", "spin"):
        job = assignment("a", kind, b'{"milliseconds": 1}', timeout=60_000_000)
        assert (await runs.run(job)).state is JobState.DONE


async def test_canceled_spin_leaves_no_process_behind(executing, assignment) -> None:
    runs = executing()
    execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
    await until_one_computes()
    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution
    assert processes_for_work() == []


async def test_spin_canceled_while_its_process_starts_leaves_none_behind(
    executing, assignment
) -> None:
    runs = executing()
    execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
    await asyncio.sleep(0)
    execution.cancel()
    with pytest.raises(asyncio.CancelledError):
        await execution
    assert processes_for_work() == []


async def test_canceling_one_job_leaves_the_others_alone(executing, assignment) -> None:
    runs = executing()
    victim = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
    await until_one_computes()
    others = [
        asyncio.create_task(runs.run(assignment(name, "spin", b'{"milliseconds": 50}')))
        for name in "bc"
    ]
    victim.cancel()
    assert [(await each).state for each in others] == [JobState.DONE] * 2


async def test_killed_process_fails_its_job_and_the_next_job_runs(executing, assignment) -> None:
    runs = executing()
    execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
    os.kill((await until_one_computes()).pid, signal.SIGKILL)
    failure = (await execution).failure
    following = await runs.run(assignment("b", "word_count"))

    assert failure.reason == "WORKER_PROCESS_DIED"
    assert following.state is JobState.DONE


@pytest.mark.parametrize("code", [b"0", b"3"])
async def test_process_that_exits_fails_its_job_whatever_its_exit_code(
    executing, assignment, cpu_kinds, code
) -> None:
    runs = executing(cpu_kinds)
    died = await runs.run(assignment("a", "die", code))
    following = await runs.run(assignment("b", "pid"))

    assert died.failure.reason == "WORKER_PROCESS_DIED"
    assert following.state is JobState.DONE


async def test_process_that_died_idle_is_replaced(executing, assignment, cpu_kinds) -> None:
    runs = executing(cpu_kinds, idle_seconds=600)
    first = int((await runs.run(assignment("a", "pid"))).output)
    process = psutil.Process(first)
    process.kill()
    # Blocks the event loop on purpose: it must not have seen the end when the job comes.
    process.wait(timeout=BOUND)
    second = await runs.run(assignment("b", "pid"))

    assert first != int(second.output)


async def test_process_is_used_again_by_the_next_job(executing, assignment, cpu_kinds) -> None:
    runs = executing(cpu_kinds, idle_seconds=600)
    used = {(await runs.run(assignment("a", "pid"))).output for _ in range(5)}

    assert len(used) == 1


async def test_idle_processes_are_stopped(executing, assignment) -> None:
    runs = executing(idle_seconds=0.05)
    await asyncio.gather(*(runs.run(assignment(name, "word_count")) for name in "abc"))
    assert processes_for_work()
    await eventually(lambda: not processes_for_work())


async def test_no_process_exists_before_the_first_cpu_job_and_none_after_close(
    executing, assignment
) -> None:
    runs = executing(idle_seconds=600)
    await runs.run(assignment("a", "noop"))
    assert processes_for_work() == []
    await runs.run(assignment("b", "word_count"))
    assert len(processes_for_work()) == 1
    await runs.close()
    assert processes_for_work() == []


async def test_close_ends_what_still_runs(executing, assignment) -> None:
    runs = executing()
    execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
    await until_one_computes()
    await runs.close()
    assert processes_for_work() == []
    assert (await execution).failure.reason == "WORKER_PROCESS_DIED"


async def test_process_for_work_ignores_the_interrupt_of_the_terminal(
    executing, assignment
) -> None:
    runs = executing()
    execution = asyncio.create_task(runs.run(assignment("a", "spin", b'{"milliseconds": 600}')))
    os.kill((await until_one_computes()).pid, signal.SIGINT)
    assert (await execution).state is JobState.DONE


PARENT = """
import asyncio
from common.domain.job import Assignment, Execution, JobSpec
from common.handlers.registry import load
from common.worker.executor import JobExecutor

async def main():
    runs = JobExecutor(load(), idle_seconds=600)
    def job(name, milliseconds):
        payload = b'{"milliseconds": %d}' % milliseconds
        return runs.run(Assignment(Execution(name, 1), JobSpec("spin", payload)))
    await asyncio.gather(job("a", 20), job("b", 20))
    busy = asyncio.create_task(job("c", 600000))
    print("ready", flush=True)
    await busy

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_parent_that_is_killed_leaves_no_process_behind(tmp_path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        left = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    try:
        # The resource tracker, the fork server, one process that computes, one that is idle.
        assert len(left) == 4
        assert psutil.wait_procs(left, timeout=BOUND)[1] == []
    finally:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
