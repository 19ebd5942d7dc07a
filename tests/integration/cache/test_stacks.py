"""Both designs behind a cache: who is asked, and what is answered while parts are away."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from common.domain import ids
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.caches import CachedStack, CacheServer, cache_servers, cached
from tests.support.client import read_error, rejection_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("redis")

NODES = 3
TIMEOUT = 15.0
# What holds a job that has ended, in memory.
OWNERS = {"a": ("job", "result")}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[CacheServer]]:
    with cache_servers(NODES, tmp_path_factory.mktemp("cache")) as made:
        yield made


@pytest.fixture
def nodes(servers: list[CacheServer]) -> list[CacheServer]:
    """All nodes, with nothing in them."""
    for each in servers:
        each.ask("FLUSHALL")
    return servers


@pytest.fixture(scope="module", params=["a", "b"])
def stack(
    request: pytest.FixtureRequest,
    servers: list[CacheServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CachedStack]:
    with cached(request.param, tmp_path_factory.mktemp(request.param), servers) as made:
        yield made


class Caller:
    """A client at one entry, the last one, which is no home of the jobs that it asks for."""

    def __init__(self, stack: CachedStack) -> None:
        self.stub = stack.client(stack.topology.entries[-1]).stub

    def status(self, job_id: str) -> pb.JobStatus:
        request = pb.GetJobStatusRequest(job_id=job_id)
        return self.stub.GetJobStatus(request, timeout=TIMEOUT).status

    def result(self, job_id: str) -> pb.GetJobResultResponse:
        return self.stub.GetJobResult(pb.GetJobResultRequest(job_id=job_id), timeout=TIMEOUT)


def ended(stack: CachedStack, count: int = 1) -> list[str]:
    """Have jobs run to their end, at the first entry; nobody has read them."""
    stub = stack.client(stack.topology.entries[0]).stub
    made = [
        stub.SubmitJob(
            pb.SubmitJobRequest(job=jobs.word_count("two words")), timeout=TIMEOUT
        ).job_id
        for _ in range(count)
    ]

    def all_done() -> bool:
        # A list is no answer that is kept.
        request = pb.ListJobsRequest(state=pb.JOB_STATE_DONE, page_size=100)
        listed = stub.ListJobs(request, timeout=TIMEOUT).jobs
        return {each.job_id for each in listed} >= set(made)

    eventually(all_done, what="the end of the jobs")
    return made


def keys(nodes: list[CacheServer]) -> list[str]:
    return [key for each in nodes for key in each.ask("KEYS", "*").split()]


def holders(stack: CachedStack, job_id: str) -> tuple[str, ...]:
    return OWNERS.get(stack.design, (f"node-{ids.parse(job_id).home}",))


def asked(stack: CachedStack, job_id: str) -> int:
    """How often those were called that hold a job."""
    return sum(
        int(float(line.rpartition(" ")[2]))
        for name in holders(stack, job_id)
        for line in stack.metrics(name).splitlines()
        if line.startswith("taskqueue_handling_seconds_count")
        and ("GetJob" in line or "GetResult" in line)
    )


def unless_away(ask: Callable[[], Any]) -> Any:
    """Ask; return nothing where neither the cache nor the owner answers in time."""
    try:
        return ask()
    except grpc.RpcError as error:
        if read_error(error).code not in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}:
            raise
        return None


def test_what_was_read_once_is_answered_without_its_owner(
    stack: CachedStack, nodes: list[CacheServer]
) -> None:
    (job_id,) = ended(stack)
    caller = Caller(stack)
    known = caller.status(job_id), caller.result(job_id)
    assert known[0].state == pb.JOB_STATE_DONE
    assert b'"words":2' in known[1].output.replace(b" ", b"")
    eventually(lambda: len(keys(nodes)) == 2, what="both answers are kept")
    assert asked(stack, job_id) > 0

    def came_from_the_cache() -> bool:
        before = asked(stack, job_id)
        hits = stack.total("taskqueue_cache_lookups_total", found="hit")
        for _ in range(5):
            assert (caller.status(job_id), caller.result(job_id)) == known
        more = stack.total("taskqueue_cache_lookups_total", found="hit") - hits
        return more >= 10 and asked(stack, job_id) == before

    # A node that takes longer than a tenth of a second is not waited for, but the owner is asked.
    eventually(came_from_the_cache, what="calls of which none was for the owner")

    for name in holders(stack, job_id):
        stack.kill(name)
    try:
        eventually(
            lambda: unless_away(lambda: (caller.status(job_id), caller.result(job_id))) == known
        )
    finally:
        stack.start(*holders(stack, job_id))


def test_nothing_of_a_job_that_has_not_ended_is_kept(
    stack: CachedStack, nodes: list[CacheServer]
) -> None:
    caller = Caller(stack)
    request = pb.SubmitJobRequest(job=jobs.sleep(60_000))
    job_id = caller.stub.SubmitJob(request, timeout=TIMEOUT).job_id
    for _ in range(3):
        assert caller.status(job_id).state in {pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING}
        assert rejection_of(lambda: caller.result(job_id)).reason == "JOB_NOT_FINISHED"
    assert not keys(nodes)
    caller.stub.CancelJob(pb.CancelJobRequest(job_id=job_id), timeout=TIMEOUT)
    eventually(lambda: caller.status(job_id).state == pb.JOB_STATE_CANCELED, what="the cancel")
    eventually(lambda: keys(nodes) == [f"status:{job_id}"], what="its end is kept")


@pytest.mark.parametrize("how", ["killed", "stands still"])
def test_no_call_fails_while_nodes_of_the_cache_are_away(
    stack: CachedStack, nodes: list[CacheServer], how: str
) -> None:
    made = ended(stack, 30)
    caller = Caller(stack)
    known = [(caller.status(job_id), caller.result(job_id)) for job_id in made]

    def read() -> list[Any]:
        return [(caller.status(job_id), caller.result(job_id)) for job_id in made]

    entries = len(stack.topology.entries)
    for number, node in enumerate(nodes, start=1):
        node.kill() if how == "killed" else node.send(signal.SIGSTOP)
        # Also right after, before anybody has noticed.
        assert read() == known
        assert read() == known
        if how == "killed":
            left = entries * (NODES - number)
            eventually(lambda left=left: stack.total("taskqueue_cache_nodes") == left)
            eventually(
                lambda name=node.name: not stack.total("taskqueue_cache_node_answers", node=name)
            )
    for node in nodes:
        node.start() if how == "killed" else node.send(signal.SIGCONT)
    eventually(lambda: stack.total("taskqueue_cache_nodes") == entries * NODES)
    assert read() == known
    eventually(lambda: len(keys(nodes)) >= 2 * len(made), what="everything is kept again")
    hits = stack.total("taskqueue_cache_lookups_total", found="hit")
    assert read() == known
    assert stack.total("taskqueue_cache_lookups_total", found="hit") > hits
    for node in nodes:
        eventually(
            lambda name=node.name: stack.total("taskqueue_cache_node_answers", node=name) == entries
        )
    assert stack.total("taskqueue_cache_node_lookups_total", found="hit") >= hits


@pytest.mark.parametrize("design", ["a", "b"])
def test_no_answer_outlives_its_job(design: str, nodes: list[CacheServer], tmp_path: Path) -> None:
    with cached(design, tmp_path, nodes, retention=8.0) as stack:
        (job_id,) = ended(stack)
        caller = Caller(stack)
        first = caller.status(job_id)
        assert caller.result(job_id).state == pb.JOB_STATE_DONE
        eventually(lambda: len(keys(nodes)) == 2, what="both answers are kept")

        def is_forgotten() -> bool:
            return not stack.client().stub.ListJobs(pb.ListJobsRequest(), timeout=TIMEOUT).jobs

        eventually(is_forgotten, what="its owner has forgotten it")
        assert first.state == pb.JOB_STATE_DONE
        for ask in (caller.status, caller.result):
            assert rejection_of(lambda ask=ask: ask(job_id)).reason == "JOB_NOT_FOUND"
        assert not keys(nodes)
