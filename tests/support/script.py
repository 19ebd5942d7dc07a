"""Random sequences of calls, and what a client observes of them, in words that fit any server."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from hypothesis import strategies as st

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from tests.support import jobs
from tests.support.client import CANCELED, RUNNING, TERMINAL, Client, read_error, spec

Step = tuple[Any, ...]
Observation = tuple[Any, ...]

SUBMISSIONS = (
    *(sample.job for sample in jobs.SAMPLES if sample.name != "seeded sleep"),
    jobs.fail("on purpose"),
    jobs.sleep(60_000, execution_timeout=0.02),
    jobs.sleep(1, execution_timeout=60),
)
REFUSED = (
    spec(""),
    spec("no_such"),
    spec("noop", execution_timeout=0),
    spec("noop", execution_timeout=-2),
    spec("noop", bytes((1 << 20) + 1)),
    *(spec(kind, payload) for kind, payload in jobs.UNREADABLE.items()),
    *(spec("sleep", payload) for payload in jobs.NASTY.values()),
)
STRANGE_IDS = ("", "0" * 16, "v" * 16, "0" * 15, "A" * 16, "é" * 16, "0" * 8 + "\x00" * 8)
KINDS = ("", "noop", "sleep", "fail", "word_count", "no_such")

_job = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(
        st.just("submit"),
        st.integers(0, len(SUBMISSIONS) - 1),
        st.one_of(st.none(), st.none(), st.integers(0, 2)),
    ),
    st.tuples(st.just("submit"), st.integers(0, len(SUBMISSIONS) - 1), st.none()),
    st.tuples(st.just("refuse"), st.integers(0, len(REFUSED) - 1)),
    st.tuples(st.just("block")),
    st.tuples(st.just("finish"), _job),
    st.tuples(st.just("result"), _job),
    st.tuples(st.just("cancel"), _job),
    st.tuples(
        st.just("strange"),
        st.sampled_from(("status", "result", "cancel")),
        st.sampled_from(STRANGE_IDS),
    ),
    st.tuples(
        st.just("list"), st.integers(0, 5), st.sampled_from(KINDS), st.sampled_from((1, 2, 5, 0))
    ),
    st.tuples(
        st.just("list badly"),
        st.sampled_from(((-1, 0, ""), (0, 7, ""), (0, 0, "?"), (0, 0, "AAAA"), (0, -3, "é"))),
    ),
    st.tuples(st.just("token elsewhere"), st.sampled_from(KINDS[1:])),
)
SCRIPTS = st.lists(STEPS, min_size=3, max_size=30)


@dataclass
class Player:
    """Plays one script against one server. ``name`` keeps its request ids apart from others'."""

    client: Client
    name: str
    ids: list[str] = field(default_factory=list)
    finished: set[str] = field(default_factory=set)
    blocker: str = ""

    def play(self, script: list[Step]) -> list[Observation]:
        """Make all calls; returns what was observed, with jobs named by order of submission."""
        try:
            return [(step[0], *self._observe(step)) for step in script]
        finally:
            if self.blocker and self.blocker not in self.finished:
                self.client.cancel(self.blocker)
                self.client.wait(self.blocker)

    def answer_to(self, kind: str, payload: bytes, request_id: str) -> Observation:
        """Submit whatever this is and return what was observed."""
        return self._observed(
            lambda: ("accepted", self._known(self.client.submit(spec(kind, payload), request_id)))
        )

    def _observe(self, step: Step) -> Observation:
        method: Callable[..., Observation] = getattr(self, "_" + step[0].replace(" ", "_"))
        return self._observed(lambda: method(*step[1:]))

    def _observed(self, call: Callable[[], Observation]) -> Observation:
        try:
            return call()
        except grpc.RpcError as error:
            rejection = read_error(error)
            details = sorted(rejection.metadata.items())
            return (
                rejection.code,
                rejection.reason,
                rejection.domain,
                *(self._named(f"{key}={value}") for key, value in details),
                self._named(rejection.message),
            )

    def _submit(self, number: int, key: int | None) -> Observation:
        request_id = "" if key is None else f"{self.name}-{key}"
        return ("accepted", self._known(self.client.submit(SUBMISSIONS[number], request_id)))

    def _refuse(self, number: int) -> Observation:
        return ("accepted", self.client.submit(REFUSED[number]))

    def _block(self) -> Observation:
        if self.blocker:
            return ()
        self.blocker = self.client.submit(jobs.sleep(600_000))
        status = self.client.wait(self.blocker, RUNNING)
        return (self._known(self.blocker), status.state, status.attempt, status.cancel_requested)

    def _finish(self, number: int) -> Observation:
        job_id = self._pick(number)
        if not job_id or job_id == self.blocker:
            return ()
        return self._end(job_id)

    def _result(self, number: int) -> Observation:
        job_id = self._pick(number)
        if not job_id or (job_id != self.blocker and job_id not in self.finished):
            return ()
        result = self.client.result(job_id)
        return (result.state, result.output, str(result.failure))

    def _cancel(self, number: int) -> Observation:
        job_id = self._pick(number)
        if job_id and job_id == self.blocker and job_id not in self.finished:
            answer = self.client.cancel(job_id)
            return (answer.state, answer.cancel_requested, *self._end(job_id))
        if job_id in self.finished:
            return self._described(self.client.cancel(job_id))
        return ()

    def _strange(self, method: str, job_id: str) -> Observation:
        return (str(getattr(self.client, method)(job_id)),)

    def _list(self, state: int, kind: str, page_size: int) -> Observation:
        for job_id in self.ids:
            if job_id != self.blocker:
                self._end(job_id)
        seen: list[Observation] = []
        mine = set(self.ids)
        for page in self.client.pages(state, kind, page_size):
            ours = list(itertools.takewhile(lambda job: job.job_id in mine, page.jobs))
            seen.append(tuple(self._described(job) for job in ours))
            if len(ours) < len(page.jobs) or not page.next_page_token:
                break
        return tuple(seen if seen[-1] else seen[:-1])

    def _list_badly(self, arguments: tuple[int, int, str]) -> Observation:
        page_size, state, token = arguments
        return (len(self.client.list(state, "", page_size, token).jobs),)

    def _token_elsewhere(self, kind: str) -> Observation:
        for _ in range(2):
            self._known(self.client.submit(jobs.noop()))
        token = self.client.list(page_size=1).next_page_token
        return (len(self.client.list(kind=kind, page_token=token).jobs),)

    def _end(self, job_id: str) -> Observation:
        status = self.client.wait(job_id, *TERMINAL)
        self.finished.add(job_id)
        if job_id == self.blocker:
            assert status.state == CANCELED
        return self._described(status)

    def _described(self, status: pb.JobStatus) -> Observation:
        return (
            self._named(status.job_id),
            status.kind,
            status.state,
            status.attempt,
            str(status.failure),
            status.cancel_requested,
            bool(status.worker),
            tuple(status.HasField(name) for name in ("create_time", "start_time", "finish_time")),
        )

    def _pick(self, number: int) -> str:
        return self.ids[number % len(self.ids)] if self.ids else ""

    def _known(self, job_id: str) -> str:
        if job_id not in self.ids:
            self.ids.append(job_id)
        return self._named(job_id)

    def _named(self, text: str) -> str:
        for number, job_id in enumerate(self.ids):
            text = text.replace(job_id, f"job {number}")
        return text.replace(self.name, "name")
