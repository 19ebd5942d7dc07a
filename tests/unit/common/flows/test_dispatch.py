"""How one dequeue serves all workers that wait, and what rides along with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from common import context
from common.domain.errors import InternalError, OwnerUnreachable
from common.domain.job import Assignment, JobState
from common.flows import coordinator as flows
from common.flows import dispatch
from common.ports import Dequeued, Exchanged, ReportReply
from tests.support.waiting import eventually_async
from tests.unit.common.flows.stack import DONE, SPEC, Stack

LONG = 60.0
BOUND = 20.0


class Recorded:
    """Stands before a port: notes its calls, and holds or fails them as a test says."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.correlations: list[str] = []
        self.held: dict[str, asyncio.Event] = {}
        self.error: dict[str, Exception] = {}

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments, named))
            self.correlations.append(context.correlation_id())
            if name in self.error:
                raise self.error[name]
            answer = await getattr(self.port, name)(*arguments, **named)
            if name in self.held:
                await self.held[name].wait()
            return answer

        return call

    def hold(self, name: str) -> asyncio.Event:
        """Have what the port does take effect and not be answered until the event is set."""
        self.held[name] = asyncio.Event()
        return self.held[name]

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The calls of one method."""
        return [(arguments, named) for each, arguments, named in self.calls if each == name]


class Exchanging:
    """State that is shared, which notes how many jobs it was asked for."""

    def __init__(self, answer: Exchanged) -> None:
        self.answer = answer
        self.asked: list[int] = []

    async def exchange(
        self, _worker: str, _reports: Any, max_jobs: int, _remove: Any = ()
    ) -> Exchanged:
        self.asked.append(max_jobs)
        return self.answer


class Dispatching(Stack):
    """A stack whose coordinator's calls to the queue and the jobs are recorded."""

    def __init__(self) -> None:
        super().__init__(max_jobs=100)
        self.to_queue, self.to_jobs = Recorded(self.queue), Recorded(self.jobs)
        self.to_results = Recorded(self.results)
        self.coordinator = flows.WorkCoordinator(
            self.liveness, self.to_jobs, self.to_queue, self.to_results, 6.0, self.background
        )

    @property
    def dequeues(self) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The dequeues that lease."""
        return [each for each in self.to_queue.of("dequeue") if each[0][0]]

    @property
    def returned(self) -> list[Any]:
        """Leases that were given back."""
        return [
            execution
            for _, named in self.to_queue.of("dequeue")
            for execution in named.get("release", ())
        ]

    def asks(self, worker: str, jobs: int = 1, wait: float = LONG) -> asyncio.Task[Any]:
        """Have a worker wait for work."""
        return asyncio.create_task(self.coordinator.fetch(worker, 5, jobs, wait))

    async def submitted(self, number: int) -> list[str]:
        """Submit so many jobs."""
        return [await self.client.submit(SPEC) for _ in range(number)]

    async def started(self, worker: str = "w", number: int = 1) -> list[Assignment]:
        """Submit jobs and have a worker run them."""
        await self.submitted(number)
        return list(await self.run(self.coordinator.fetch(worker, 5, number, 0.0)))

    def held(self, worker: str) -> set[str]:
        """The jobs that the coordinator takes for a worker's own."""
        known = self.liveness._workers.get(worker)
        return {execution.job_id for execution in known.held} if known else set()


@pytest.fixture
async def stack() -> AsyncIterator[Dispatching]:
    forgotten: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: forgotten.append(what))
    stack = Dispatching()
    async with asyncio.timeout(BOUND):
        yield stack
        stack.coordinator.stop_waiting()
        await stack.background.drain()
        await _turns()
    dispatcher = stack.coordinator._dispatcher
    assert (dispatcher._asking, dispatcher._dequeuing) == ({}, None)
    if not stack.to_jobs.error:
        assert forgotten == []


async def _turns(number: int = 12) -> None:
    """Let the loop turn until all that waits for nothing has been done."""
    for _ in range(number):
        await asyncio.sleep(0)


def _jobs(assignments: Sequence[Assignment]) -> list[str]:
    return [each.execution.job_id for each in assignments]


# Fetches


async def test_fetches_that_wait_share_what_one_dequeue_brings(stack):
    ids = await stack.submitted(3)
    one, other = stack.asks("one", 2), stack.asks("other", 2)
    assert (_jobs(await one), _jobs(await other)) == (ids[:2], ids[2:])
    assert [arguments[0] for arguments, _ in stack.dequeues] == [4]
    assert len(stack.to_jobs.of("transition")) == 1
    assert (stack.held("one"), stack.held("other")) == (set(ids[:2]), {ids[2]})


async def test_first_who_asked_is_served_first_and_the_others_wait_on(stack):
    fetches = [stack.asks(worker) for worker in ("first", "second", "third")]
    await _turns()
    for fetch in fetches:
        assert not fetch.done()
        (job_id,) = await stack.submitted(1)
        assert _jobs(await fetch) == [job_id]
    assert [each.done() for each in fetches] == [True] * 3


async def test_jobs_are_started_for_the_worker_that_is_given_them(stack):
    await stack.submitted(3)
    fetches = {worker: stack.asks(worker) for worker in ("x", "y", "z")}
    given = {worker: _jobs(await fetch) for worker, fetch in fetches.items()}
    ((steps,), _) = stack.to_jobs.of("transition")[0]
    assert {step.worker: [step.execution.job_id] for step in steps} == given
    assert {worker: list(stack.held(worker)) for worker in given} == given


async def test_fetch_that_waits_for_nothing_is_not_made_to_wait_by_one_that_does(stack):
    patient, hasty = stack.asks("patient"), stack.asks("hasty", wait=0.0)
    assert await hasty == []
    assert not patient.done()
    (job_id,) = await stack.submitted(1)
    assert _jobs(await patient) == [job_id]


async def test_fetch_whose_time_is_over_is_answered_though_others_wait_on(stack):
    patient, short = stack.asks("patient"), stack.asks("short", wait=0.01)
    assert await short == []
    assert not patient.done()
    assert len(stack.dequeues) == 1
    (job_id,) = await stack.submitted(1)
    assert _jobs(await patient) == [job_id]


async def test_one_that_asks_during_a_dequeue_is_served_by_the_next(stack):
    first = stack.asks("first")
    await _turns()
    second = stack.asks("second", 5)
    ids = await stack.submitted(3)
    assert _jobs(await first) == ids[:1]
    assert _jobs(await second) == ids[1:]
    assert [arguments[0] for arguments, _ in stack.dequeues] == [1, 5]


async def test_leases_for_one_that_left_are_for_the_next_who_waits(stack):
    left = stack.asks("left")
    await _turns()
    left.cancel()
    await _turns()
    stays = stack.asks("stays")
    (job_id,) = await stack.submitted(1)
    assert _jobs(await stays) == [job_id]
    assert stack.returned == []
    assert stack.held("left") == set()


async def test_dequeue_that_nobody_waits_for_any_more_is_ended_and_costs_no_attempt(
    stack, monkeypatch
):
    monkeypatch.setattr(dispatch, "LINGER_SECONDS", 0.0)
    left = stack.asks("left")
    await _turns()
    left.cancel()
    await eventually_async(lambda: not stack.coordinator._dispatcher.waits)
    (job_id,) = await stack.submitted(1)
    ((job,)) = await stack.asks("next")
    assert job.execution == (job_id, 1)


async def test_leases_that_were_on_the_way_to_nobody_are_given_back_unstarted(stack):
    await stack.submitted(1)
    answered = stack.to_queue.hold("dequeue")
    left = stack.asks("left")
    await _turns()
    left.cancel()
    await _turns()
    answered.set()
    await _turns()
    await stack.background.drain()
    assert (stack.queue_owner.depth(), stack.queue_owner.leased()) == (1, 0)
    assert stack.to_jobs.of("transition") == []


async def test_fetch_that_is_canceled_while_its_job_is_started_gives_the_lease_back(stack):
    (job_id,) = await stack.submitted(1)
    answered = stack.to_jobs.hold("transition")
    fetch = stack.asks("left")
    await _turns()
    fetch.cancel()
    await _turns()
    answered.set()
    await stack.background.drain()
    assert [each.job_id for each in stack.returned] == [job_id]
    assert stack.held("left") == set()
    ((again,)) = await stack.asks("next")
    assert again.execution == (job_id, 2)


async def test_fetch_is_not_given_up_while_its_job_is_started(stack):
    (job_id,) = await stack.submitted(1)
    answered = stack.to_jobs.hold("transition")
    fetch = stack.asks("w", wait=0.01)
    await asyncio.sleep(0.03)
    assert not fetch.done()
    answered.set()
    assert _jobs(await fetch) == [job_id]


async def test_fetch_whose_job_may_not_start_waits_on_for_another(stack):
    canceled, other = await stack.submitted(2)
    stack.queue.broken = {"remove": "before"}
    await stack.run(stack.client.cancel(canceled))
    stack.queue.broken = {}
    assert _jobs(await stack.asks("w")) == [other]
    stack.coordinator.stop_waiting()
    await stack.background.drain()
    assert stack.queue_owner.depth() == 0
    assert stack.queue_owner.leased() == 1


async def test_those_whose_jobs_may_not_start_keep_their_turn(stack):
    canceled = await stack.submitted(2)
    stack.queue.broken = {"remove": "before"}
    for job_id in canceled:
        await stack.run(stack.client.cancel(job_id))
    stack.queue.broken = {}
    fetches = [stack.asks(worker) for worker in ("first", "second")]
    await _turns()
    fetches.append(stack.asks("third"))
    await _turns()
    ids = []
    for fetch in fetches:
        ids += await stack.submitted(1)
        assert _jobs(await fetch) == ids[-1:]


async def test_dequeue_that_fails_fails_all_that_wait_for_it_each_with_an_error_of_its_own(
    stack, caplog
):
    caplog.set_level(logging.WARNING)
    stack.to_queue.error["dequeue"] = OwnerUnreachable("queue", "cut")
    ends = await asyncio.gather(*(stack.asks(each) for each in "abc"), return_exceptions=True)
    assert [type(end) for end in ends] == [OwnerUnreachable] * 3
    assert len({id(end) for end in ends}) == 3
    assert len(stack.to_queue.calls) == 1
    assert "no work to be had from the queue: queue is out of reach: cut" in caplog.text
    del stack.to_queue.error["dequeue"]
    (job_id,) = await stack.submitted(1)
    assert _jobs(await stack.asks("a")) == [job_id]


async def test_start_that_fails_fails_those_it_was_for_and_gives_all_leases_back(stack):
    ids = await stack.submitted(2)
    stack.to_jobs.error["transition"] = OwnerUnreachable("job", "cut")
    ends = await asyncio.gather(*(stack.asks(each) for each in "ab"), return_exceptions=True)
    assert [type(end) for end in ends] == [OwnerUnreachable] * 2
    await stack.background.drain()
    assert sorted(each.job_id for each in stack.returned) == sorted(ids)
    assert (stack.queue_owner.depth(), stack.queue_owner.leased()) == (2, 0)


@pytest.mark.parametrize("port", ["to_queue", "to_jobs"])
async def test_defect_in_a_dispatch_answers_those_who_wait(stack, port, caplog):
    await stack.submitted(1)
    recorded: Recorded = getattr(stack, port)
    recorded.error = {"dequeue": KeyError("defect"), "transition": KeyError("defect")}
    with pytest.raises(InternalError, match="KeyError in a dispatch"):
        await stack.asks("w")
    recorded.error = {} if port == "to_queue" else recorded.error


async def test_dequeue_for_all_belongs_to_none_of_those_who_asked(stack):
    with context.call("of one fetch"):
        fetch = stack.asks("w")
    await stack.submitted(1)
    await fetch
    assert "of one fetch" not in stack.to_queue.correlations
    assert "of one fetch" not in stack.to_jobs.correlations


async def test_fetch_that_waits_counts_as_waiting_for_its_peers(stack):
    handling = context.Handling("FetchWork")
    token = context.handle(handling)
    fetch = stack.asks("w")
    context.unhandle(token)
    await stack.submitted(1)
    await fetch
    assert handling.waited > 0
    assert handling._under_way == 0


# Acknowledgements


async def test_acknowledgements_ride_along_with_the_next_dequeue(stack):
    (job,) = await stack.started()
    await stack.run(stack.coordinator.report("w", [(job.execution, DONE)]))
    assert stack.queue_owner.leased() == 1
    assert await stack.asks("w", wait=0.0) == []
    assert stack.dequeues[-1][1]["remove"] == [job.execution.job_id]
    assert stack.queue_owner.leased() == 0
    assert stack.to_queue.of("remove") == []
    await stack.asks("w", wait=0.0)
    assert stack.dequeues[-1][1]["remove"] == []


async def test_entry_is_acknowledged_only_once_its_job_has_ended(stack):
    (job,) = await stack.started()
    ended = stack.to_jobs.hold("transition")
    report = asyncio.create_task(stack.coordinator.report("w", [(job.execution, DONE)]))
    await _turns()
    await stack.asks("other", wait=0.0)
    assert stack.queue_owner.leased() == 1
    ended.set()
    await report
    await stack.asks("other", wait=0.0)
    assert stack.queue_owner.leased() == 0


@pytest.mark.parametrize("how", ["heartbeat", "inspect", "stop"])
async def test_acknowledgements_do_not_wait_for_a_dequeue_that_is_long_in_coming(stack, how):
    (job,) = await stack.started()
    await stack.coordinator.report("w", [(job.execution, DONE)])
    assert stack.queue_owner.leased() == 1
    if how == "heartbeat":
        await stack.coordinator.heartbeat("w", 5, [])
    elif how == "inspect":
        await stack.coordinator.inspect()
    else:
        stack.coordinator.stop_waiting()
    await stack.background.drain()
    assert stack.queue_owner.leased() == 0


async def test_acknowledgements_survive_a_dequeue_that_failed(stack):
    (job,) = await stack.started()
    await stack.run(stack.coordinator.report("w", [(job.execution, DONE)]))
    stack.to_queue.error["dequeue"] = OwnerUnreachable("queue", "cut")
    with pytest.raises(OwnerUnreachable):
        await stack.asks("w")
    del stack.to_queue.error["dequeue"]
    await stack.asks("w", wait=0.0)
    assert stack.queue_owner.leased() == 0


async def test_acknowledgements_survive_a_dequeue_that_a_stop_cut_short(stack):
    (job,) = await stack.started()
    await stack.run(stack.coordinator.report("w", [(job.execution, DONE)]))
    dequeued = asyncio.Event()

    async def never_arrives(*_: Any, **named: Any) -> Dequeued:
        dequeued.set()
        return await asyncio.Event().wait()

    stack.to_queue.dequeue = never_arrives
    fetch = stack.asks("w")
    await dequeued.wait()
    stack.coordinator.stop_waiting()
    assert await fetch == []
    await _turns()
    await stack.background.drain()
    assert stack.queue_owner.leased() == 0


# Stops


async def test_stop_answers_all_and_nobody_waits_after_it(stack):
    waiting = [stack.asks(each) for each in "abc"]
    await _turns()
    stack.coordinator.stop_waiting()
    assert await asyncio.gather(*waiting) == [[], [], []]
    assert await stack.asks("d") == []
    assert await stack.coordinator.report("e", [], (), 1, 1) == ReportReply([], [])
    await stack.submitted(1)
    assert (stack.queue_owner.depth(), stack.queue_owner.leased()) == (1, 0)


async def test_stop_answers_one_whose_job_turns_out_not_to_start(stack):
    (canceled,) = await stack.submitted(1)
    stack.queue.broken = {"remove": "before"}
    await stack.run(stack.client.cancel(canceled))
    stack.queue.broken = {}
    answered = stack.to_jobs.hold("transition")
    fetch = stack.asks("w")
    await _turns()
    stack.coordinator.stop_waiting()
    answered.set()
    assert await fetch == []


# Reports


async def test_report_brings_the_next_work_if_there_is_some(stack):
    (job,) = await stack.started()
    following = await stack.submitted(3)
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 2)
    assert reply.verdicts == [None]
    assert _jobs(reply.assignments) == following[:2]
    assert stack.held("w") == set(following[:2])


async def test_report_waits_for_no_work(stack):
    (job,) = await stack.started()
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 5)
    assert reply == ReportReply([None], [])
    assert stack.dequeues[-1][0][1] == 0


async def test_report_takes_nothing_while_others_wait_for_work(stack):
    (job,) = await stack.started()
    fetch = stack.asks("other")
    await _turns()
    before = len(stack.dequeues)
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 5)
    assert reply.assignments == []
    assert len(stack.dequeues) == before
    (job_id,) = await stack.submitted(1)
    assert _jobs(await fetch) == [job_id]


async def test_report_to_shared_state_brings_work_also_while_a_dequeue_is_under_way(stack):
    (job,) = await stack.started()
    record = await stack.jobs.get([job.execution.job_id])
    shared = Exchanging(Exchanged(record, [], []))
    stack.coordinator = flows.WorkCoordinator(
        stack.liveness, stack.jobs, stack.queue, stack.results, 6.0, stack.background, shared
    )
    stack.asks("w")
    await _turns()
    await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 4)
    stack.coordinator.stop_waiting()
    await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 4)
    assert shared.asked == [4, 0]


async def test_report_without_a_free_slot_asks_for_nothing(stack):
    (job,) = await stack.started()
    await stack.submitted(1)
    before = len(stack.dequeues)
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 0)
    assert reply.assignments == []
    assert len(stack.dequeues) == before


@pytest.mark.parametrize("port", ["to_jobs", "to_results"])
async def test_report_that_fails_gives_back_what_was_taken(stack, port):
    (job,) = await stack.started()
    (following,) = await stack.submitted(1)
    if port == "to_results":
        stack.to_results.error["store"] = OwnerUnreachable("result", "cut")
    else:
        # Only the step of the report fails, not the start beside it.
        transition = stack.job_owner.transition

        async def fails(steps: Any) -> Any:
            if steps[0].target is JobState.DONE:
                raise OwnerUnreachable("job", "cut")
            return await transition(steps)

        stack.job_owner.transition = fails
    with pytest.raises(OwnerUnreachable):
        await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 1)
    await stack.background.drain()
    assert following in [each.job_id for each in stack.returned]
    assert stack.held("w") == {job.execution.job_id}
    ((again,)) = await stack.asks("other")
    assert again.execution == (following, 2)


@pytest.mark.parametrize("turns", range(8))
async def test_report_that_is_canceled_leaves_no_lease_behind(stack, turns):
    (job,) = await stack.started()
    (following,) = await stack.submitted(1)
    report = asyncio.create_task(stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 1))
    await _turns(turns)
    report.cancel()
    await asyncio.wait((report,))
    await _turns()
    await stack.background.drain()
    if report.cancelled():
        assert stack.held("w") <= {job.execution.job_id}
        assert stack.queue_owner.depth() == 1
    else:
        assert _jobs(report.result().assignments) == [following]


async def test_report_is_answered_though_the_queue_is_not_and_what_comes_late_is_given_back(
    stack, monkeypatch
):
    monkeypatch.setattr(flows, "TAKE_SECONDS", 0.01)
    (job,) = await stack.started()
    (following,) = await stack.submitted(1)
    answered = stack.to_queue.hold("dequeue")
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 1)
    assert reply == ReportReply([None], [])
    answered.set()
    await stack.background.drain()
    assert [each.job_id for each in stack.returned] == [following]
    assert stack.held("w") == set()


async def test_report_is_taken_though_no_work_can_be(stack):
    (job,) = await stack.started()
    stack.to_queue.error["dequeue"] = OwnerUnreachable("queue", "cut")
    reply = await stack.coordinator.report("w", [(job.execution, DONE)], (), 5, 1)
    assert reply == ReportReply([None], [])
    assert (await stack.states()) == [JobState.DONE]
