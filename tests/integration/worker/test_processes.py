"""The processes that jobs are executed in: canceled, killed, used again, left idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from common.domain.job import JobState
from tests.integration.worker.processes import processes_for_work, until_one_computes
from tests.support.waiting import eventually_async as eventually

BOUND = 20.0
LONG = b'{"milliseconds": 600000}'


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
