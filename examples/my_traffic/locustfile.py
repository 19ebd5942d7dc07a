"""Impatient users: each asks for its job three times, and cancels it if it has not ended by then.

locust -f examples/my_traffic/locustfile.py

It is driven like the locustfiles of the project: it finds the stack that is up, and every option
works, for a closed loop and for an open one.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from locust import tag, task

# Locust puts the folder of a locustfile on the path; the client and the users are in another.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "locustfiles"))

from taskqueue_load import TaskQueueUser
from taskqueue_load.outcome import CallError

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb

PATIENCE = 3


@dataclass
class Wait:
    """A job that is waited for: how often it was asked for, and whether it has ended."""

    job_id: str
    asked: int = 0
    ended: bool = False


class ImpatientUser(TaskQueueUser):
    """Each task makes one call; which of the two is next is drawn from the user's own seed."""

    def on_start(self) -> None:
        """Begin without a job."""
        super().on_start()
        self._waits: deque[Wait] = deque()

    @tag("submit")
    @task(1)
    def submit(self) -> None:
        """Submit a job as --kind, --job-ms and --payload say."""
        job_id = self.submit_job()
        if job_id is not None:
            self._waits.append(Wait(job_id))

    @tag("follow")
    @task(4)
    def follow(self) -> None:
        """Do what is next for the job that has waited longest."""
        if not self._waits:
            self.submit()
            return
        # Taken out, since in an open loop another task may begin before this call is answered.
        wait = self._waits.popleft()
        if wait.ended:
            self.client.result(wait.job_id)
        elif wait.asked == PATIENCE:
            self.client.cancel(wait.job_id)
        else:
            self._ask(wait)

    def _ask(self, wait: Wait) -> None:
        wait.asked += 1
        reply = self.client.status(wait.job_id)
        # An error is returned, not raised: Locust has counted it already.
        if not isinstance(reply, CallError):
            wait.ended = reply.status.state >= pb.JOB_STATE_DONE
        self._waits.append(wait)
