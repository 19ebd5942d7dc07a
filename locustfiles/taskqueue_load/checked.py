"""Users whose calls leave a history in which much can be found out.

They make the same calls by the same weights as :class:`~taskqueue_load.users.MixedUser`, and in
addition what a checker needs: request ids that are used again, also through other endpoints, and
reads of jobs that other users submitted.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import ClassVar

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from taskqueue_load.jobs import JobFactory
from taskqueue_load.options import LoadOptions
from taskqueue_load.outcome import CallError
from taskqueue_load.users import MixedUser, RememberedJob

# Of the submits, so many have a request id; of those, so many are repeats of an earlier one.
WITH_REQUEST_ID = 0.5
REPEATED = 0.2
# And of the repeats, so many ask for another job, which has to be refused.
REUSED = 0.1
# Of the jobs that sleep, so many fail; how long they sleep is drawn anew by every execution, but
# for a part of them: those have a seed, which decides it and thereby what their output has to be.
FAILING, JITTER, SEEDED = 0.05, 0.5, 0.5
# So many jobs of all users of a process are open to everybody.
SHARED = 2000
# One's own jobs are asked for this often, those of anybody else.
OWN = 0.5


class CheckedUser(MixedUser):
    """A mixed user that repeats request ids and reads what others submitted."""

    # Shared by the users of a process, of one test after the other too: ids of jobs that no longer
    # exist are refused, which is no harm.
    everybodys: ClassVar[deque[str]] = deque(maxlen=SHARED)

    def on_start(self) -> None:
        """Begin without request ids."""
        super().on_start()
        self._requests: deque[pb.SubmitJobRequest] = deque(maxlen=self._remembered.maxlen)
        self._made = 0
        self._distinguishable = False
        run = self.session.run
        if run is not None:
            self._distinguishable = run.options.kind == "sleep" and not run.options.payload
            self._jobs = JobFactory(
                _with_distinct_ends(run.options) if self._distinguishable else run.options
            )
        # No other test on the same stack may have used them.
        self._prefix = f"{run.start_unix:.3f}/{self.name}" if run is not None else self.name

    def submit_job(self) -> str | None:
        """Submit a job, or an earlier one again, and return its id, ``None`` if not accepted."""
        request = self._choose_request()
        reply = self.client.submit(request)
        if isinstance(reply, CallError):
            return None
        self.everybodys.append(reply.job_id)
        return reply.job_id

    def _choose_request(self) -> pb.SubmitJobRequest:
        plain = self._jobs.build(self.details.random())
        with_id, again, place, reuse, seeded, seed = (self.details.random() for _ in range(6))
        if self._distinguishable and seeded < SEEDED:
            plain = _with_seed(plain, int(seed * 2**53))
        if with_id >= WITH_REQUEST_ID:
            return plain
        if not self._requests or again >= REPEATED:
            self._made += 1
            return self._named(plain, f"{self._prefix}/{self._made}")
        earlier = self._requests[int(place * len(self._requests))]
        if reuse >= REUSED:
            return earlier
        other = pb.SubmitJobRequest()
        other.CopyFrom(earlier)
        other.job.kind = "noop"
        other.job.payload = b"another job"
        return other

    def _named(self, plain: pb.SubmitJobRequest, request_id: str) -> pb.SubmitJobRequest:
        request = pb.SubmitJobRequest()
        request.CopyFrom(plain)
        request.request_id = request_id
        self._requests.append(request)
        return request

    def _recall(self) -> RememberedJob | None:
        """Return a job of one's own or of anybody; with none, submit one instead."""
        own, place = self.details.random(), self.details.random()
        if own >= OWN and self.everybodys:
            return RememberedJob(self.everybodys[int(place * len(self.everybodys))])
        return super()._recall()


def _with_distinct_ends(options: LoadOptions) -> LoadOptions:
    """Let jobs that sleep end so that a checker can distinguish two executions of one job.

    Their payload is filled up with blanks to the size that other kinds have.
    """
    payload = {
        "milliseconds": options.job_ms,
        "jitter": JITTER,
        "failure_probability": FAILING,
    }
    return replace(options, payload=json.dumps(payload).ljust(options.payload_bytes))


def _with_seed(plain: pb.SubmitJobRequest, seed: int) -> pb.SubmitJobRequest:
    """Return the same job with a seed, so that all its executions have one and the same output."""
    size = len(plain.job.payload)
    request = pb.SubmitJobRequest()
    request.CopyFrom(plain)
    payload = json.loads(plain.job.payload) | {"seed": seed}
    request.job.payload = json.dumps(payload).encode().ljust(size)
    return request
