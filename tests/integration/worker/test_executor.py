"""What becomes of a job that is executed: its outcome, whatever its handler does."""

from __future__ import annotations

import json

import pytest

from common.domain.job import MAX_OUTPUT_BYTES, JobState
from common.handlers.registry import Handler, HandlerRegistry, JobFailed, load
from tests.integration.worker.processes import processes_for_work

BOUND = 20.0
LONG = b'{"milliseconds": 600000}'


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
