from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import psutil
import pytest

from common.domain.job import MAX_OUTPUT_BYTES, JobState
from common.handlers.registry import Handler, HandlerRegistry, JobFailed, load
from common.worker.executor import JobExecutor

BOUND = 20.0
T = TypeVar("T")
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


@contextlib.asynccontextmanager
async def executing(registry: HandlerRegistry | None = None, **settings):
    runs = JobExecutor(registry or load(), **settings)
    try:
        async with asyncio.timeout(3 * BOUND):
            yield runs
    finally:
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


async def until(condition: Callable[[], T]) -> T:
    async with asyncio.timeout(BOUND):
        while True:
            if value := condition():
                return value
            await asyncio.sleep(0.01)


async def until_one_computes() -> psutil.Process:
    return await until(first_that_computes)


def first_that_computes() -> psutil.Process | None:
    for process in processes_for_work():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cpu_times().user > 0.3:
                return process
    return None


@pytest.mark.parametrize("kind", load().names())
def test_every_kind_runs_with_the_empty_payload(assignment, kind) -> None:
    async def scenario():
        async with executing() as runs:
            return await runs.run(assignment("a", kind))

    outcome = asyncio.run(scenario())

    assert outcome.state is (JobState.FAILED if kind == "fail" else JobState.DONE)


def test_output_of_a_cpu_handler_comes_back(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            return await runs.run(assignment("a", "word_count", b"a b a"))

    assert json.loads(asyncio.run(scenario()).output)["distinct"] == 2


def test_failure_keeps_the_reason_that_the_handler_gave(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            payload = json.dumps({"reason": "DISK_FULL", "message": "\ud800"}).encode()
            return await runs.run(assignment("a", "fail", payload))

    failure = asyncio.run(scenario()).failure

    assert (failure.reason, failure.message) == ("DISK_FULL", "?")


@pytest.mark.parametrize(
    ("kind", "payload", "reason", "message"),
    [
        ("nap", b"", "UNKNOWN_KIND", "'nap' is unknown"),
        ("sleep", b"{", "UNREADABLE_PAYLOAD", "not JSON"),
        ("spin", b"{", "UNREADABLE_PAYLOAD", "not JSON"),
    ],
)
def test_job_that_cannot_be_run_fails_with_an_explanation(
    assignment, kind, payload, reason, message
) -> None:
    async def scenario():
        async with executing() as runs:
            return await runs.run(assignment("a", kind, payload))

    failure = asyncio.run(scenario()).failure

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
def test_whatever_an_async_handler_raises_becomes_a_failure(
    assignment, raised, reason, message
) -> None:
    async def raises(params: bytes) -> bytes:
        raise raised

    async def scenario():
        async with executing(HandlerRegistry([Handler("odd", "", bytes, raises)])) as runs:
            return await runs.run(assignment("a", "odd", timeout=10_000_000))

    failure = asyncio.run(scenario()).failure

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
def test_whatever_a_cpu_handler_raises_becomes_a_failure(
    assignment, cpu_kinds, kind, reason, message
) -> None:
    async def scenario():
        async with executing(cpu_kinds) as runs:
            return await runs.run(assignment("a", kind))

    failure = asyncio.run(scenario()).failure

    assert (failure.reason, failure.message) == (reason, message)


def test_output_over_the_limit_fails_the_job_and_one_at_the_limit_does_not(
    assignment, cpu_kinds
) -> None:
    async def scenario():
        async with executing(cpu_kinds) as runs:
            return [
                await runs.run(assignment("a", "big", str(size).encode()))
                for size in (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES + 1)
            ]

    fits, exceeds = asyncio.run(scenario())

    assert len(fits.output) == MAX_OUTPUT_BYTES
    assert exceeds.failure.reason == "OUTPUT_TOO_LARGE"


@pytest.mark.parametrize("kind", ["sleep", "spin"])
def test_execution_timeout_stops_either_sort_of_job(assignment, kind) -> None:
    async def scenario():
        async with executing() as runs:
            outcome = await runs.run(assignment("a", kind, LONG, timeout=100_000))
            assert processes_for_work() == []
            return outcome

    failure = asyncio.run(scenario()).failure

    assert failure.reason == "EXECUTION_TIMEOUT"
    assert "0.1 s" in failure.message


def test_job_within_its_execution_timeout_is_done(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            return [
                await runs.run(assignment("a", kind, b'{"milliseconds": 1}', timeout=60_000_000))
                for kind in ("sleep", "spin")
            ]

    assert [each.state for each in asyncio.run(scenario())] == [JobState.DONE] * 2


def test_canceled_spin_leaves_no_process_behind(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
            await until_one_computes()
            execution.cancel()
            with pytest.raises(asyncio.CancelledError):
                await execution
            assert processes_for_work() == []

    asyncio.run(scenario())


def test_spin_canceled_while_its_process_starts_leaves_none_behind(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
            await asyncio.sleep(0)
            execution.cancel()
            with pytest.raises(asyncio.CancelledError):
                await execution
            assert processes_for_work() == []

    asyncio.run(scenario())


def test_canceling_one_job_leaves_the_others_alone(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            victim = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
            await until_one_computes()
            others = [
                asyncio.create_task(runs.run(assignment(name, "spin", b'{"milliseconds": 50}')))
                for name in "bc"
            ]
            victim.cancel()
            return await asyncio.gather(*others)

    assert [each.state for each in asyncio.run(scenario())] == [JobState.DONE] * 2


def test_killed_process_fails_its_job_and_the_next_job_runs(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
            os.kill((await until_one_computes()).pid, signal.SIGKILL)
            failure = (await execution).failure
            return failure, await runs.run(assignment("b", "word_count"))

    failure, following = asyncio.run(scenario())

    assert failure.reason == "WORKER_PROCESS_DIED"
    assert following.state is JobState.DONE


@pytest.mark.parametrize("code", [b"0", b"3"])
def test_process_that_exits_fails_its_job_whatever_its_exit_code(
    assignment, cpu_kinds, code
) -> None:
    async def scenario():
        async with executing(cpu_kinds) as runs:
            return await runs.run(assignment("a", "die", code)), await runs.run(
                assignment("b", "pid")
            )

    died, following = asyncio.run(scenario())

    assert died.failure.reason == "WORKER_PROCESS_DIED"
    assert following.state is JobState.DONE


def test_process_that_died_idle_is_replaced(assignment, cpu_kinds) -> None:
    async def scenario():
        async with executing(cpu_kinds, idle_seconds=600) as runs:
            first = int((await runs.run(assignment("a", "pid"))).output)
            process = psutil.Process(first)
            process.kill()
            # Blocks the event loop on purpose: it must not have seen the end when the job comes.
            process.wait(timeout=BOUND)
            second = await runs.run(assignment("b", "pid"))
            return first, int(second.output)

    first, second = asyncio.run(scenario())

    assert first != second


def test_process_is_used_again_by_the_next_job(assignment, cpu_kinds) -> None:
    async def scenario():
        async with executing(cpu_kinds, idle_seconds=600) as runs:
            return {(await runs.run(assignment("a", "pid"))).output for _ in range(5)}

    assert len(asyncio.run(scenario())) == 1


def test_idle_processes_are_stopped(assignment) -> None:
    async def scenario():
        async with executing(idle_seconds=0.05) as runs:
            await asyncio.gather(*(runs.run(assignment(name, "word_count")) for name in "abc"))
            assert processes_for_work()
            await until(lambda: not processes_for_work())

    asyncio.run(scenario())


def test_no_process_exists_before_the_first_cpu_job_and_none_after_close(assignment) -> None:
    async def scenario():
        async with executing(idle_seconds=600) as runs:
            await runs.run(assignment("a", "noop"))
            assert processes_for_work() == []
            await runs.run(assignment("b", "word_count"))
            assert len(processes_for_work()) == 1
        assert processes_for_work() == []

    asyncio.run(scenario())


def test_close_ends_what_still_runs(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            execution = asyncio.create_task(runs.run(assignment("a", "spin", LONG)))
            await until_one_computes()
            await runs.close()
            assert processes_for_work() == []
            return await execution

    assert asyncio.run(scenario()).failure.reason == "WORKER_PROCESS_DIED"


def test_process_for_work_ignores_the_interrupt_of_the_terminal(assignment) -> None:
    async def scenario():
        async with executing() as runs:
            execution = asyncio.create_task(
                runs.run(assignment("a", "spin", b'{"milliseconds": 600}'))
            )
            os.kill((await until_one_computes()).pid, signal.SIGINT)
            return await execution

    assert asyncio.run(scenario()).state is JobState.DONE


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
