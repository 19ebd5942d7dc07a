"""Clients that hold connections and calls open, or drop them half way."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hyperframe.frame import DataFrame

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.bad_clients.conftest import StackMaker
from tests.support import jobs, needs
from tests.support.abuse import (
    MIB,
    address_of_entry,
    assert_all_end_but,
    assert_no_defects,
    assert_serves,
    entry_of,
    memory_of,
    metric_of,
    wait_until_idle,
)
from tests.support.http2 import SUBMIT, Connection, message_frame
from tests.support.stacks import Stack
from tests.support.waiting import eventually

CONNECTIONS = 2_000
NEEDED_FILES = 3 * CONNECTIONS


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process have enough files open, for as long as the test runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NEEDED_FILES:
        needs.lacks(f"{NEEDED_FILES} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, NEEDED_FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _idle_connections(stack: Stack, number: int) -> Iterator[list[Connection]]:
    with ExitStack() as exits:
        opened = [exits.enter_context(Connection(address_of_entry(stack))) for _ in range(number)]
        for connection in opened:
            assert next(connection.frames()), "the server has greeted the connection"
        yield opened


def _files(stack: Stack) -> int:
    return int(stack.process(entry_of(stack)).num_fds())


@pytest.mark.slow
@pytest.mark.usefixtures("many_files")
def test_thousands_of_idle_connections_cost_little_and_leave_nothing(stack: Stack) -> None:
    entry = entry_of(stack)
    assert_serves(stack)
    before, files = memory_of(stack, entry), _files(stack)
    open_memory, closed_memory = [], []
    for _ in range(2):
        with _idle_connections(stack, CONNECTIONS):
            open_memory.append(memory_of(stack, entry))
            assert_serves(stack)
        eventually(lambda: _files(stack), lambda number: number < files + 50, 60, "closed files")
        closed_memory.append(memory_of(stack, entry))
    per_thousand = (open_memory[0] - before) / (CONNECTIONS / 1000)
    assert per_thousand < 64 * MIB
    assert closed_memory[1] - closed_memory[0] < 32 * MIB
    assert_serves(stack)


@pytest.mark.parametrize("design", ["a", "b"])
def test_connections_over_the_limit_are_closed_and_the_others_served(
    start_stack: StackMaker, design: str
) -> None:
    stack = start_stack(design, max_connections=40)
    client = stack.client(entry_of(stack))
    client.submit(jobs.noop())
    with ExitStack() as exits:
        for _ in range(80):
            try:
                exits.enter_context(Connection(address_of_entry(stack)))
            except OSError:
                continue
        # Its connection was there before.
        client.submit(jobs.noop())
    eventually(lambda: _files(stack), lambda number: number < 60, 30, "closed files")
    assert_serves(stack)


@pytest.mark.parametrize("design", ["a", "b"])
def test_calls_whose_message_never_comes_are_ended(start_stack: StackMaker, design: str) -> None:
    stack = start_stack(design, message_timeout=1)
    with Connection(address_of_entry(stack)) as connection:
        for number in range(200):
            connection.send(connection.headers(2 * number + 1))
        connection.send(DataFrame(1, message_frame(bytes(100))[:50]))
        # DEADLINE_EXCEEDED; the last of them is not the last to be ended.
        assert connection.status_of(399) == "4"
        wait_until_idle(stack)
    metric = 'taskqueue_calls_refused_total{reason="MESSAGE_NOT_RECEIVED"}'
    assert metric_of(stack, entry_of(stack), metric) == 200
    assert_serves(stack)
    assert_no_defects(stack)


@pytest.mark.parametrize("design", ["a", "b"])
def test_a_connection_that_does_nothing_is_closed_in_the_end(
    start_stack: StackMaker, design: str
) -> None:
    stack = start_stack(design, connection_idle=1)
    with Connection(address_of_entry(stack)) as connection:
        connection.wait_until_closed()
    assert_serves(stack)


def test_clients_that_vanish_in_the_middle_of_a_call_leave_nothing(stack: Stack) -> None:
    client = stack.client(entry_of(stack))
    known = {job.job_id for job in client.all_jobs()}
    whole = message_frame(pb.SubmitJobRequest(job=jobs.noop()).SerializeToString())
    memory = []
    for _ in range(2):
        for number in range(300):
            connection = Connection(address_of_entry(stack))
            connection.send(connection.headers(1, SUBMIT))
            cut = len(whole) if number % 2 else number % len(whole)
            flags = ["END_STREAM"] if cut == len(whole) else []
            connection.send(DataFrame(1, whole[:cut], flags=flags))
            if number % 3:
                connection.reset()
            else:
                connection.socket.close()
        wait_until_idle(stack)
        assert_all_end_but(client, known)
        memory.append(memory_of(stack, entry_of(stack)))
    new = {job.job_id for job in client.all_jobs()} - known
    assert len(new) <= 300, "only whole messages can make jobs"
    assert memory[1] - memory[0] < 16 * MIB
    wait_until_idle(stack)
    assert_serves(stack)
    assert_no_defects(stack)
