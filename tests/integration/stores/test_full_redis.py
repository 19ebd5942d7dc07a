"""Both designs while their Redis may use no more memory: nothing begins, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.support import jobs
from tests.support.client import CANCELED, DONE, QUEUED, RUNNING, Client, rejection_of
from tests.support.stacks import Stack, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("redis")

SLOTS = 12
JOBS = 4 * SLOTS
ROUNDS = 4
MOST_IN_A_ROUND = 50
"""Round trips of all processes while each looks once, as it does every second, whether its store is
there: some ten, and thousands of one that does not wait."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Stack]]:
    with ExitStack() as exits:
        yield lambda side: exits.enter_context(running(side, tmp_path, SLOTS))  # type: ignore[misc]


def limit(stack: Stack, bytes_: int, *names: str) -> None:
    """Let the named Redis use so much memory, by default all; 0 is no limit."""
    found = [spec for spec in stack.topology.processes if not spec.is_ours]
    for spec in found:
        if not names or spec.name in names:
            Redis(port=spec.port, socket_timeout=10).config_set("maxmemory", bytes_)


def trips(stack: Stack, *operations: str) -> float:
    """Return how often stores were asked for these, by all processes."""
    counted = re.compile(
        rf'taskqueue_store_seconds_count{{operation="(?:{"|".join(operations)})"}} (\S+)'
    )
    return sum(float(each) for name in stack.names for each in counted.findall(stack.metrics(name)))


def ended(client: Client, accepted: list[str]) -> int:
    return sum(client.status(job_id).state == DONE for job_id in accepted)


def refusal(client: Client) -> tuple[str, str, str]:
    found = rejection_of(lambda: client.submit(jobs.noop()))
    return found.code, found.reason, found.metadata["outcome"]


def test_design_b_ends_all_that_it_has_accepted_while_redis_is_full(start: type[Stack]) -> None:
    stack = start("b+store=redis")
    client = stack.client()
    accepted = [client.submit(jobs.word_count("a b a" * 1000)) for _ in range(3)]
    accepted += [client.submit(jobs.sleep(700)) for _ in range(JOBS)]
    canceled = client.submit(jobs.sleep(700))
    limit(stack, 1)
    assert ended(client, accepted) < len(accepted)

    full = ("RESOURCE_EXHAUSTED", "STORE_FULL", "definite")
    assert [refusal(client) for _ in range(6)] == [full] * 6
    assert client.cancel(canceled).state in {CANCELED, QUEUED, RUNNING}
    for job_id in accepted:
        assert client.wait(job_id).state == DONE
        client.result(job_id)
    assert client.wait(canceled).state == CANCELED
    assert refusal(client) == full

    # Idle again: nobody asks more often than one does who waits.
    asked = trips(stack, "exchange", "dequeue", "accept")
    rounds = trips(stack, "report")
    eventually(lambda: trips(stack, "report") >= rounds + ROUNDS * len(stack.names))
    assert trips(stack, "exchange", "dequeue", "accept") - asked < ROUNDS * MOST_IN_A_ROUND

    limit(stack, 0)
    assert client.run(jobs.noop()).state == DONE


def test_design_a_keeps_reports_until_there_is_room_for_their_outputs(start: type[Stack]) -> None:
    stack = start("a+store=redis")
    client = stack.client()
    limit(stack, 1, "redis-result")
    accepted = [client.submit(jobs.word_count("a b a")) for _ in range(SLOTS)]
    for job_id in accepted:
        client.wait(job_id, RUNNING)
    eventually(lambda: trips(stack, "store") > 0, what="a report of an output")

    asked = trips(stack, "store")
    rounds = trips(stack, "report")
    eventually(lambda: trips(stack, "report") >= rounds + ROUNDS * 3)
    assert trips(stack, "store") - asked < ROUNDS * MOST_IN_A_ROUND
    assert ended(client, accepted) == 0

    limit(stack, 1)
    assert refusal(client) == ("RESOURCE_EXHAUSTED", "STORE_FULL", "definite")
    limit(stack, 0)
    for job_id in accepted:
        status = client.wait(job_id)
        assert (status.state, status.attempt) == (DONE, 1)
        assert client.result(job_id).output
    assert client.run(jobs.noop()).state == DONE
