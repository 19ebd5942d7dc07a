"""The ``Jobs`` port of Design A over gRPC: what is one message there are three operations here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from common.domain.errors import JobNotFound, SubmitWithdrawn
from common.domain.ids import IdMint
from common.domain.job import Execution, JobState
from common.gen.taskqueue.internal.v1 import job_service_pb2 as pb
from common.gen.taskqueue.internal.v1.job_service_pb2_grpc import (
    JobServiceStub,
    add_JobServiceServicer_to_server,
)
from common.owners.jobs import JobOwner
from common.ports import NewJob, Transition
from common.rpc.channel import Peer
from common.rpc.outbound import ClientMetrics
from design_a.clients.jobs import JobsClient
from design_a.servicers.jobs import JobServicer
from tests.support.owners import HandClock, Silence

RELIED_ON = (NewJob("noop", "r", b"d", "s1"), NewJob("noop", "r", b"d", "s2"))


def over_grpc(scenario: Callable[[JobsClient, Peer], Awaitable[Any]]) -> Any:
    async def serve() -> Any:
        server = grpc.aio.server()
        owner = JobOwner(IdMint(0, 1), HandClock(), Silence())
        add_JobServiceServicer_to_server(JobServicer(owner), server)
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        peer = Peer("job", address, "gateway", 5.0, ClientMetrics(CollectorRegistry()))
        try:
            return await scenario(JobsClient(peer), peer)
        finally:
            await peer.close()
            await server.stop(None)

    return asyncio.run(serve())


def test_submit_is_withdrawn_from_a_job_on_which_no_other_relies() -> None:
    async def scenario(jobs: JobsClient, _peer: Peer) -> None:
        (first, _) = await jobs.create(RELIED_ON)
        assert await jobs.withdraw("s2", first.id) == first
        (waiting,) = await jobs.get([first.id])
        assert waiting == first
        withdrawn = await jobs.withdraw("s1", first.id)
        assert withdrawn.state is JobState.CANCELED
        (missing,) = await jobs.get([first.id])
        assert isinstance(missing, JobNotFound)

    over_grpc(scenario)


def test_submit_is_withdrawn_without_knowing_its_job_before_and_after_it_comes() -> None:
    async def scenario(jobs: JobsClient, _peer: Peer) -> None:
        (made,) = await jobs.create([NewJob("noop", submit_id="s1")])
        for submit_id in ("s1", "s2"):
            assert await jobs.withdraw(submit_id) is None
        made, late = (
            *await jobs.get([made.id]),
            *await jobs.create([NewJob("noop", submit_id="s2")]),
        )
        assert isinstance(made, JobNotFound)
        assert isinstance(late, SubmitWithdrawn)

    over_grpc(scenario)


def test_jobs_that_are_kept_out_are_forgotten_though_relied_on_and_running_ones_are_not() -> None:
    async def scenario(jobs: JobsClient, _peer: Peer) -> None:
        first, _, other = await jobs.create([*RELIED_ON, NewJob("noop")])
        start = Transition(Execution(other.id, 1), JobState.RUNNING, "w")
        (running,) = await jobs.transition([start])
        forgotten, left, unknown = await jobs.forget([first.id, other.id, "0" * 16])
        assert (forgotten.state, left) == (JobState.CANCELED, running)
        assert isinstance(unknown, JobNotFound)

    over_grpc(scenario)


def test_canceled_job_is_kept_whoever_relies_on_it() -> None:
    async def scenario(jobs: JobsClient, _peer: Peer) -> None:
        first, _ = await jobs.create(RELIED_ON)
        (canceled,) = await jobs.set_cancel_requested([first.id])
        assert canceled.state is JobState.CANCELED
        assert await jobs.get([first.id]) == [canceled]

    over_grpc(scenario)


def test_cancel_without_a_reason_is_a_clients() -> None:
    async def scenario(jobs: JobsClient, peer: Peer) -> None:
        (job,) = await jobs.create([NewJob("noop")])
        await JobServiceStub(peer.channel).SetCancelRequested(
            pb.SetCancelRequestedRequest(job_ids=[job.id])
        )
        (canceled,) = await jobs.get([job.id])
        assert canceled.state is JobState.CANCELED

    over_grpc(scenario)


def test_cancel_for_a_reason_that_is_none_is_refused_and_changes_nothing() -> None:
    async def scenario(jobs: JobsClient, peer: Peer) -> None:
        (job,) = await jobs.create([NewJob("noop")])
        request = pb.SetCancelRequestedRequest(job_ids=[job.id], reason=9)  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError, match="9 is no reason to cancel"):
            await JobServiceStub(peer.channel).SetCancelRequested(request)
        assert await jobs.get([job.id]) == [job]

    over_grpc(scenario)
