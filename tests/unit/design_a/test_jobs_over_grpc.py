"""The ``Jobs`` port of Design A over gRPC: what is one message there are three operations here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from prometheus_client import CollectorRegistry

from common.domain.errors import JobNotFound, MalformedJobId, OwnerUnreachable, SubmitWithdrawn
from common.domain.ids import IdMint
from common.domain.job import Execution, JobState
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.job_service_pb2_grpc import (
    JobServiceStub,
    add_JobServiceServicer_to_server,
)
from common.owners.jobs import JobOwner
from common.ports import NewJob, Transition
from common.rpc import callers
from common.rpc.channel import Peer
from common.rpc.interceptors import CallInterceptor
from common.rpc.outbound import ClientMetrics
from design_a.clients.jobs import JobsClient
from design_a.servicers.jobs import JobServicer
from tests.support.owners import HandClock, Silence

RELIED_ON = (NewJob("noop", "r", b"d", "s1"), NewJob("noop", "r", b"d", "s2"))

SERVICE = pb.DESCRIPTOR.services_by_name["JobService"]
ALL = frozenset(f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods)
SECRET = "of the stack"


@pytest.fixture
async def server() -> AsyncIterator[grpc.aio.Server]:
    """A server that turns errors into statuses as processes do, and lets anybody call."""
    allowed = {"gateway": ALL, callers.CLIENT: ALL}
    interceptor = CallInterceptor(5.0, allowed, "job", SECRET)
    server = grpc.aio.server(interceptors=[interceptor])
    yield server
    await server.stop(None)


@pytest.fixture
async def peer(server: grpc.aio.Server) -> AsyncIterator[Peer]:
    """The job service as the gateway sees it."""
    owner = JobOwner(IdMint(0, 1), HandClock(), Silence())
    add_JobServiceServicer_to_server(JobServicer(owner), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    peer = Peer("job", address, "gateway", 5.0, ClientMetrics(CollectorRegistry()), SECRET)
    yield peer
    await peer.close()


@pytest.fixture
async def jobs(peer: Peer) -> JobsClient:
    """The port, over gRPC."""
    return JobsClient(peer)


async def test_submit_is_withdrawn_from_a_job_on_which_no_other_relies(jobs: JobsClient) -> None:
    (first, _) = await jobs.create(RELIED_ON)
    assert await jobs.withdraw("s2", first.id) == first
    (waiting,) = await jobs.get([first.id])
    assert waiting == first
    gone = await jobs.withdraw("s1", first.id)
    assert gone.state is JobState.CANCELED
    (gone,) = await jobs.get([first.id])
    assert isinstance(gone, JobNotFound)


async def test_submit_is_withdrawn_without_knowing_its_job_before_and_after_it_comes(
    jobs: JobsClient,
) -> None:
    (made,) = await jobs.create([NewJob("noop", submit_id="s1")])
    for submit_id in ("s1", "s2"):
        assert await jobs.withdraw(submit_id) is None
    made, late = (
        *await jobs.get([made.id]),
        *await jobs.create([NewJob("noop", submit_id="s2")]),
    )
    assert isinstance(made, JobNotFound)
    assert isinstance(late, SubmitWithdrawn)


async def test_jobs_that_are_kept_out_are_forgotten_though_relied_on_and_running_ones_are_not(
    jobs: JobsClient,
) -> None:
    first, _, other = await jobs.create([*RELIED_ON, NewJob("noop")])
    start = Transition(Execution(other.id, 1), JobState.RUNNING, "w")
    (running,) = await jobs.transition([start])
    gone, left, unknown = await jobs.forget([first.id, other.id, "0" * 16])
    assert (gone.state, left) == (JobState.CANCELED, running)
    assert isinstance(unknown, JobNotFound)


async def test_canceled_job_is_kept_whoever_relies_on_it(jobs: JobsClient) -> None:
    first, _ = await jobs.create(RELIED_ON)
    (canceled,) = await jobs.set_cancel_requested([first.id])
    assert canceled.state is JobState.CANCELED
    assert await jobs.get([first.id]) == [canceled]


async def test_cancel_without_a_reason_is_a_clients(jobs: JobsClient, peer: Peer) -> None:
    (job,) = await jobs.create([NewJob("noop")])
    await JobServiceStub(peer.channel).SetCancelRequested(
        pb.SetCancelRequestedRequest(job_ids=[job.id])
    )
    (canceled,) = await jobs.get([job.id])
    assert canceled.state is JobState.CANCELED


async def test_cancel_for_a_reason_that_is_none_is_refused_and_changes_nothing(
    jobs: JobsClient, peer: Peer
) -> None:
    (job,) = await jobs.create([NewJob("noop")])
    request = pb.SetCancelRequestedRequest(job_ids=[job.id], reason=9)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError, match="9 is no reason to cancel"):
        await JobServiceStub(peer.channel).SetCancelRequested(request)
    assert await jobs.get([job.id]) == [job]


async def test_what_the_service_cannot_read_is_refused_to_the_one_who_sent_it(
    jobs: JobsClient, peer: Peer
) -> None:
    made = await jobs.create([NewJob("noop") for _ in range(3)])
    asked = [jobs.get([job.id]) for job in made]
    asked.insert(1, jobs.get(["no id"]))
    first, refused, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(refused, MalformedJobId)
    assert [*first, *(each for answer in others for each in answer)] == made


async def test_peer_that_has_vanished_fails_all_who_wait_for_it_each_by_themselves(
    jobs: JobsClient, server: grpc.aio.Server
) -> None:
    await jobs.create([NewJob("noop")])
    await server.stop(None)
    creates = [jobs.create([NewJob("noop")]) for _ in range(3)]
    errors = await asyncio.gather(*creates, return_exceptions=True)
    assert [type(error) for error in errors] == [OwnerUnreachable] * 3
    assert len({id(error) for error in errors}) == 3
