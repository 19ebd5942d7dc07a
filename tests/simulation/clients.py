"""Clients that call at random, and the history of what they saw."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import grpc

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import status
from testbed.record.history.messages import answer_of, asked_of
from testbed.record.history.model import CallOutcome, Operation, Submitted
from tests.simulation.network import Network, SimulatedChannel

KINDS = ("noop", "sleep")
MOST_BYTES = 2000
"""How large payloads are at most."""


@dataclass
class Record:
    """What the clients of one simulation saw, and what they know together."""

    operations: list[Operation] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)
    """Jobs that were accepted and have not been seen terminal, and when they were asked for."""
    jobs: list[str] = field(default_factory=list)
    requests: list[pb.SubmitJobRequest] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    forgets: bool = False
    """Whether the system forgets what has ended, so that nobody waits for what is not found."""


class Client:
    """Calls the endpoints under one name; every call goes into the record."""

    def __init__(
        self, name: str, network: Network, endpoints: Sequence[str], record: Record, random: Random
    ) -> None:
        self.name = name
        self.random = random
        self.record = record
        self.following: set[asyncio.Task[None]] = set()
        self._network = network
        self._endpoints: list[str] = []
        self._stubs: dict[str, Any] = {}
        for endpoint in endpoints:
            self.add_endpoint(endpoint)

    def add_endpoint(self, endpoint: str) -> None:
        """Call one more from now on."""
        channel = SimulatedChannel(self._network, self.name, endpoint)
        self._stubs[endpoint] = TaskQueueServiceStub(channel)  # type: ignore[no-untyped-call]
        self._endpoints.append(endpoint)

    async def call(
        self, method: str, request: Any, scan: str = "", number: int = 0, endpoint: str = ""
    ) -> Any:
        """Make one call at any endpoint, or that one; ``None`` if it failed."""
        endpoint = endpoint or self.any_endpoint()
        timeout = self.random.choice((2.0, 5.0, 10.0))
        asked = asked_of(request, scan=scan, number=number)
        if isinstance(asked, Submitted):
            # Simulated executions give other outputs than real ones; see ``Executions``.
            asked = replace(asked, output="")
        call_id = next(self.record.numbers)
        invoked = _now()
        reply, answer, outcome, code, reason = None, None, CallOutcome.OK, "", ""
        try:
            reply = await getattr(self._stubs[endpoint], method)(request, timeout=timeout)
            answer = answer_of(reply)
        except grpc.aio.AioRpcError as error:
            outcome, code, reason = _failure(error)
        except asyncio.CancelledError:
            outcome = CallOutcome.INDEFINITE
            raise
        finally:
            self.record.operations.append(
                Operation(
                    call_id, self.name, endpoint, method, asked, invoked, _now(), outcome,
                    answer, code, reason,
                )
            )  # fmt: skip
        self._learn(request, reply, invoked)
        if code == "NOT_FOUND" and self.record.forgets:
            self.record.accepted.pop(request.job_id, None)
        return reply

    def any_endpoint(self) -> str:
        """Choose one of the endpoints."""
        return self.random.choice(self._endpoints)

    async def status(self, job_id: str) -> Any:
        """Ask for a job's status."""
        return await self.call("GetJobStatus", pb.GetJobStatusRequest(job_id=job_id))

    async def result(self, job_id: str) -> Any:
        """Ask for a job's result."""
        return await self.call("GetJobResult", pb.GetJobResultRequest(job_id=job_id))

    async def list_all(self, page_size: int = 1000, **filters: Any) -> None:
        """Read a whole listing, each page at any endpoint; a page that fails ends it."""
        scan = f"{self.name}-{next(self.record.numbers)}"
        token = ""
        for number in itertools.count():
            request = pb.ListJobsRequest(page_size=page_size, page_token=token, **filters)
            page = await self.call("ListJobs", request, scan, number)
            if page is None or not page.next_page_token:
                return
            token = page.next_page_token

    def _learn(self, request: Any, reply: Any, invoked: int) -> None:
        accepted = isinstance(reply, pb.SubmitJobResponse)
        if accepted and reply.job_id not in self.record.jobs:
            self.record.jobs.append(reply.job_id)
            self.record.accepted[reply.job_id] = invoked
        observed = isinstance(reply, pb.GetJobStatusResponse | pb.CancelJobResponse)
        if observed and reply.status.state >= pb.JOB_STATE_DONE:
            self.record.accepted.pop(request.job_id, None)


async def act_at_random(client: Client, until: float) -> None:
    """Submit, read, cancel and list until the virtual time ``until``."""
    await _act(client, until, 3, _ACTS)


async def act_calmly(client: Client, until: float) -> None:
    """Do the same, slowly enough for all jobs to be run, and see that cancels are obeyed."""
    await _act(client, until, 0.8, (*_ACTS, (_cancel_running, 6), (_submit_burst, 6)))


async def act_for_long(client: Client, until: float) -> None:
    """Do the same, and come back to jobs and request ids of long ago."""
    await _act(client, until, 1.5, (*_ACTS, (_submit_with_old_id, 12), (_read_old, 12)))


async def act_in_crowds(client: Client, until: float) -> None:
    """Do many things at the same moment, so that processes call one another for several."""
    await _act(client, until, 1.2, ((_crowd, 1),))


async def act_impatiently(client: Client, until: float) -> None:
    """Do the same, and give some of it up before it is answered."""
    await _act(client, until, 1.2, ((_crowd, 1), (_impatient_crowd, 2)))


async def act_with_request_ids(client: Client, until: float) -> None:
    """Mostly submit under request ids, often again, in one place and in another."""
    await _act(client, until, 6, ((_submit_with_id, 8), *_ACTS))


async def submit_many(client: Client, until: float) -> None:
    """Use many request ids, and repeat the oldest of them and some of the others."""
    count = 400
    requests = [
        pb.SubmitJobRequest(job=_job(client), request_id=f"{client.name}-{number}")
        for number in range(count)
    ]
    for request in (*requests, *requests[:20], *requests[::50]):
        await client.call("SubmitJob", request)


async def _act(client: Client, until: float, rate: float, acts: Sequence[tuple[Act, int]]) -> None:
    loop = asyncio.get_running_loop()
    what, weights = zip(*acts, strict=True)
    while True:
        await asyncio.sleep(client.random.expovariate(rate))
        if loop.time() >= until:
            break
        await client.random.choices(what, weights)[0](client)
    await asyncio.gather(*client.following)


async def _submit(client: Client) -> None:
    reply = await client.call("SubmitJob", pb.SubmitJobRequest(job=_job(client)))
    if reply is not None and client.random.random() < 0.4:
        _beside(client, _follow(client, reply.job_id))


def _beside(client: Client, following: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(following)
    client.following.add(task)
    task.add_done_callback(client.following.discard)


async def _submit_burst(client: Client) -> None:
    """Submit several jobs at once and in one place, so that some are leased together."""
    endpoint = client.any_endpoint()
    submits = [pb.SubmitJobRequest(job=_job(client)) for _ in range(10)]
    replies = await asyncio.gather(
        *(client.call("SubmitJob", each, endpoint=endpoint) for each in submits)
    )
    for reply in replies:
        if reply is not None:
            _beside(client, _follow(client, reply.job_id))


async def _crowd(client: Client) -> None:
    what, weights = zip(*_AT_ONCE, strict=True)
    await asyncio.gather(*(act(client) for act in client.random.choices(what, weights, k=12)))


async def _impatient_crowd(client: Client) -> None:
    """Begin many things, and give up a third of them while they are under way."""
    what, weights = zip(*_AT_ONCE, strict=True)
    acts = client.random.choices(what, weights, k=12)
    begun = [asyncio.ensure_future(act(client)) for act in acts]
    for task in begun[::3]:
        await asyncio.sleep(client.random.uniform(0, 0.002))
        task.cancel()
    await asyncio.wait(begun)


async def _follow(client: Client, job_id: str) -> None:
    """Wait for a job's end, read its result at once, and once more a while later."""
    for _ in range(12):
        await asyncio.sleep(0.7)
        reply = await client.status(job_id)
        if reply is not None and reply.status.state >= pb.JOB_STATE_DONE:
            await client.result(job_id)
            await asyncio.sleep(3)
            break
    await client.result(job_id)


async def _submit_with_id(client: Client) -> None:
    """Submit under a request id: a new one, one of before again, or one of before reused."""
    known = client.record.requests
    fresh = not known or client.random.random() < 0.4
    if fresh:
        request = pb.SubmitJobRequest(job=_job(client), request_id=f"request-{len(known)}")
        known.append(request)
    else:
        request = client.random.choice(known[-4:])
        if client.random.random() < 0.1:
            request = pb.SubmitJobRequest(job=_job(client), request_id=request.request_id)
    if client.random.random() < 0.3:
        # An impatient client: two at once.
        await asyncio.gather(*(client.call("SubmitJob", request) for _ in range(2)))
    else:
        await client.call("SubmitJob", request)


async def _submit_with_old_id(client: Client) -> None:
    if known := client.record.requests:
        await client.call("SubmitJob", client.random.choice(known))


async def _read_old(client: Client) -> None:
    if jobs := client.record.jobs:
        job_id = client.random.choice(jobs)
        await client.status(job_id)
        await client.result(job_id)


async def _read_status(client: Client) -> None:
    if (job_id := _some_job(client)) is not None:
        await client.status(job_id)


async def _read_result(client: Client) -> None:
    if (job_id := _some_job(client)) is not None:
        await client.status(job_id)
        await client.result(job_id)


async def _cancel(client: Client) -> None:
    if (job_id := _some_job(client)) is not None:
        await client.call("CancelJob", pb.CancelJobRequest(job_id=job_id))
        await client.status(job_id)


async def _cancel_running(client: Client) -> None:
    """Cancel a job that runs, and see what becomes of it."""
    request = pb.ListJobsRequest(state=pb.JOB_STATE_RUNNING, page_size=20)
    page = await client.call("ListJobs", request, f"{client.name}-{next(client.record.numbers)}")
    if page is not None and page.jobs:
        job_id = client.random.choice(page.jobs).job_id
        await client.call("CancelJob", pb.CancelJobRequest(job_id=job_id))
        _beside(client, _follow_for_long(client, job_id))


async def _follow_for_long(client: Client, job_id: str) -> None:
    for _ in range(5):
        await asyncio.sleep(2.6)
        reply = await client.status(job_id)
        if reply is not None and reply.status.state >= pb.JOB_STATE_DONE:
            break
    await client.result(job_id)


async def _list(client: Client) -> None:
    """Read a whole listing in small pages."""
    state = client.random.choice((0, 0, pb.JOB_STATE_QUEUED, pb.JOB_STATE_DONE))
    kind = client.random.choice(("", "", *KINDS))
    await client.list_all(client.random.randint(2, 6), state=state, kind=kind)


Act = Callable[[Client], Awaitable[None]]
_ACTS: tuple[tuple[Act, int], ...] = (
    (_submit, 26),
    (_submit_with_id, 22),
    (_read_status, 14),
    (_read_result, 12),
    (_cancel, 10),
    (_list, 10),
)

_AT_ONCE = tuple((act, weight) for act, weight in _ACTS if act is not _list)


def _job(client: Client) -> pb.JobSpec:
    kind = client.random.choice(KINDS)
    payload = b'{"milliseconds":%d}' % next(client.record.numbers)
    longest = client.random.choice((0, 0, MOST_BYTES))
    return pb.JobSpec(kind=kind, payload=payload.ljust(client.random.randint(0, longest)))


def _some_job(client: Client) -> str | None:
    """Any job that was accepted, mostly a late one."""
    jobs = client.record.jobs
    if not jobs:
        return None
    return client.random.choice(jobs[-6:] if client.random.random() < 0.7 else jobs)


def _failure(error: grpc.aio.AioRpcError) -> tuple[CallOutcome, str, str]:
    info = status.error_info(error)
    code = error.code().name
    if info is None:
        return CallOutcome.INDEFINITE, code, ""
    definite = info.metadata.get(status.OUTCOME) == "definite"
    return (CallOutcome.FAIL if definite else CallOutcome.INDEFINITE), code, info.reason


def _now() -> int:
    return int(asyncio.get_running_loop().time() * 1_000_000)
