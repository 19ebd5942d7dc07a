from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from common.domain import ids
from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1 import task_queue_service_pb2_grpc as pb_grpc
from testbed.drive.audit import Audit
from testbed.drive.ports import TrialFailed
from testbed.record.model import JobRow


@dataclass
class Server(pb_grpc.TaskQueueServiceServicer):
    """Knows some jobs; ``ends_after`` says how often a job is asked for before it is done."""

    states: dict[str, int]
    ends_after: dict[str, int] = field(default_factory=dict)
    listing: bool = True
    lists_after: int = 0  # so many single jobs were asked for, if it does not list at first
    asked: list[str] = field(default_factory=list)
    pages: int = 0
    withdrawn: str = ""  # waits in the first list, and no longer exists after it

    def status(self, job_id: str) -> pb.JobStatus:
        status = pb.JobStatus(job_id=job_id, state=self.states[job_id], attempt=1)
        status.create_time.FromMicroseconds(1_000_001)
        if status.state >= pb.JOB_STATE_DONE:
            status.finish_time.FromMicroseconds(1_000_003)
        return status

    async def ListJobs(self, request: Any, context: Any) -> pb.ListJobsResponse:  # noqa: N802
        if not self.listing and not 0 < self.lists_after <= len(self.asked):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "a node is away")
        if request.state:
            left, self.withdrawn = self.withdrawn, ""
            queued = pb.JobStatus(job_id=left, state=pb.JOB_STATE_QUEUED)
            return pb.ListJobsResponse(jobs=[queued] if left else [])
        names = sorted(self.states, reverse=True)
        start = int(request.page_token or 0)
        page = names[start : start + 2]
        self.pages += 1
        more = start + 2 < len(names)
        return pb.ListJobsResponse(
            jobs=[self.status(each) for each in page],
            next_page_token=str(start + 2) if more else "",
        )

    async def GetJobStatus(self, request: Any, context: Any) -> pb.GetJobStatusResponse:  # noqa: N802
        job_id = request.job_id
        self.asked.append(job_id)
        if job_id not in self.states:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        if job_id in self.ends_after:
            self.ends_after[job_id] -= 1
            if self.ends_after[job_id] <= 0:
                self.states[job_id] = pb.JOB_STATE_DONE
        return pb.GetJobStatusResponse(status=self.status(job_id))


async def audited(
    server: Server, accepted: list[str], seconds: float = 20.0, retention: float = 0.0
) -> dict[str, JobRow]:
    progress: list[tuple[int, int]] = []
    serving = grpc.aio.server()
    pb_grpc.add_TaskQueueServiceServicer_to_server(server, serving)
    address = f"127.0.0.1:{serving.add_insecure_port('127.0.0.1:0')}"
    await serving.start()
    try:
        audit = Audit(
            [address],
            accepted,
            seconds,
            lambda *both: progress.append(both),
            retention=retention,
        )
        found = await audit.run()
    finally:
        await serving.stop(None)
    rows = found.all_jobs()
    assert progress
    assert progress[-1][1] == len(rows)
    return {row.job_id: row for row in rows}


async def test_terminal_jobs_are_read_off_the_list_page_by_page() -> None:
    server = Server({f"j{number}": pb.JOB_STATE_DONE for number in range(5)})
    rows = await audited(server, list(server.states))
    assert {row.state for row in rows.values()} == {"DONE"}
    assert (rows["j0"].create_us, rows["j0"].start_us, rows["j0"].finish_us) == (
        1_000_001,
        None,
        1_000_003,
    )
    assert not any(row.lost for row in rows.values())
    assert (server.pages, server.asked) == (3, [])


async def test_unfinished_job_is_asked_for_until_it_is_terminal() -> None:
    server = Server({"j0": pb.JOB_STATE_RUNNING}, ends_after={"j0": 3})
    rows = await audited(server, ["j0"])
    assert (rows["j0"].state, rows["j0"].lost) == ("DONE", False)
    assert len(server.asked) == 3


async def test_job_that_is_not_there_is_lost() -> None:
    rows = await audited(Server({"j0": pb.JOB_STATE_DONE}), ["j0", "j1"])
    assert rows["j1"].lost
    assert rows["j1"].problem == "NOT_FOUND: no such job"
    assert not rows["j0"].lost


async def test_job_that_does_not_end_in_time_is_lost() -> None:
    rows = await audited(Server({"j0": pb.JOB_STATE_RUNNING}), ["j0"], seconds=1.0)
    assert rows["j0"].lost
    assert rows["j0"].problem.startswith("still RUNNING")


async def test_jobs_are_looked_up_one_by_one_where_listing_fails_until_it_does_not() -> None:
    server = Server({f"j{number}": pb.JOB_STATE_FAILED for number in range(50)}, listing=False)
    server.lists_after = 50
    rows = await audited(server, [*[*server.states][1:], "forgotten"])
    assert len(server.asked) == 50
    assert [row.job_id for row in rows.values() if row.lost] == ["forgotten"]
    assert not rows["j0"].accepted, "nobody was promised it: only the list shows it"


async def test_a_stack_whose_jobs_cannot_be_listed_fails_its_trial() -> None:
    server = Server({"j0": pb.JOB_STATE_DONE}, listing=False)
    with pytest.raises(TrialFailed, match="could not be listed after the drive: UNAVAILABLE"):
        await audited(server, ["j0"], seconds=1.0)


async def test_job_that_nobody_was_promised_and_that_does_not_end_is_left() -> None:
    states = {"j0": pb.JOB_STATE_DONE, "j1": pb.JOB_STATE_QUEUED}
    rows = await audited(Server(states), ["j0"], seconds=1.0)
    assert [job_id for job_id, row in rows.items() if row.left] == ["j1"]
    assert not rows["j1"].lost


async def test_job_that_is_withdrawn_while_the_queue_drains_is_looked_up_and_is_none() -> None:
    server = Server({"j1": pb.JOB_STATE_DONE}, withdrawn="j2")
    rows = await audited(server, ["j1"])
    assert server.asked == ["j2"]
    assert set(rows) == {"j1"}


async def test_listed_job_that_nobody_was_promised_is_kept_apart() -> None:
    rows = await audited(Server({"j0": pb.JOB_STATE_DONE, "j1": pb.JOB_STATE_DONE}), ["j0"])
    assert (rows["j0"].accepted, rows["j1"].accepted) == (True, False)
    assert not rows["j1"].lost


async def test_job_in_a_state_that_is_none_is_lost() -> None:
    rows = await audited(
        Server({"j0": 9, "j1": pb.JOB_STATE_UNSPECIFIED}), ["j0", "j1"], seconds=1.0
    )
    assert (rows["j0"].state, rows["j1"].state) == ("9", "UNSPECIFIED")
    assert all(row.lost for row in rows.values())


async def test_a_job_that_may_have_expired_is_not_lost() -> None:
    now = time.time()
    mint = ids.IdMint(home=0, boot=0)
    old, young = (mint.next(int((now - age) * 1e6)) for age in (30, 5))
    rows = await audited(Server({}), [old, young], retention=20)
    assert (rows[old].state, rows[young].state) == ("EXPIRED", "MISSING")
    assert (rows[old].lost, rows[old].expired) == (False, True)
    assert rows[young].lost


async def test_without_a_retention_an_old_job_that_is_not_found_is_lost() -> None:
    old = ids.IdMint(home=0, boot=0).next(int((time.time() - 3600) * 1e6))
    rows = await audited(Server({}), [old])
    assert rows[old].state == "MISSING"
    assert rows[old].lost
