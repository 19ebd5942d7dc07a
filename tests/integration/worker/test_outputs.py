"""Outputs that a payload decides: what the checker expects is what an execution gives."""

from __future__ import annotations

from common.domain.job import Assignment, Execution, JobSpec, JobState
from common.handlers.registry import load
from common.worker.executor import JobExecutor
from testbed.record.history.outputs import output_of

DECIDED = [
    ("noop", b"whatever"),
    ("sleep", b'{"milliseconds": 1}'),
    ("sleep", b'{"milliseconds": 1, "jitter": 0.5, "seed": 3}'),
    ("spin", b'{"milliseconds": 1}'),
    ("word_count", b"to be or not to be"),
    ("text_stats", b"One. Two three."),
]


async def _run(kinds: list[tuple[str, bytes]]) -> list[bytes]:
    executor = JobExecutor(load())
    try:
        outcomes = [
            await executor.run(Assignment(Execution("0" * 16, 1), JobSpec(kind, payload)))
            for kind, payload in kinds
        ]
    finally:
        await executor.close()
    assert {outcome.state for outcome in outcomes} == {JobState.DONE}
    return [outcome.output for outcome in outcomes]


async def test_what_a_payload_decides_is_what_an_execution_gives() -> None:
    assert await _run(DECIDED) == [output_of(*each) for each in DECIDED]
