"""The jobs that users submit, built from the options."""

from __future__ import annotations

import json
import random
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from taskqueue_load.options import LoadOptions

_TIMED_KINDS = frozenset({"sleep", "spin"})
_TEXT_KINDS = frozenset({"word_count", "text_stats"})
_WORDS = ["queue", "lease", "worker", "job", "result", "message", "deadline", "cancel", "state"]


class JobFactory:
    """Builds the requests to submit jobs; they must not be changed, for most are shared."""

    def __init__(self, options: LoadOptions) -> None:
        self._kind = options.kind
        self._milliseconds = options.job_ms
        self._jitter = options.job_jitter
        self._timeout: Duration | None = None
        if options.execution_timeout is not None:
            self._timeout = Duration()
            self._timeout.FromTimedelta(timedelta(seconds=options.execution_timeout))
        self._drawn = not options.payload and self._kind in _TIMED_KINDS and self._jitter > 0
        self._shared = self._request(_fixed_payload(options))

    def build(self, random_number: float) -> pb.SubmitJobRequest:
        """Return a request; ``random_number``, from 0 to 1, decides the duration of the job."""
        if not self._drawn:
            return self._shared
        deviation = self._jitter * (2 * random_number - 1)
        return self._request(_duration_payload(self._milliseconds * (1 + deviation)))

    def _request(self, payload: bytes) -> pb.SubmitJobRequest:
        job = pb.JobSpec(kind=self._kind, payload=payload, execution_timeout=self._timeout)
        return pb.SubmitJobRequest(job=job)


def _fixed_payload(options: LoadOptions) -> bytes:
    if options.payload:
        return options.payload.encode()
    if options.kind in _TIMED_KINDS:
        return _duration_payload(options.job_ms)
    if options.kind in _TEXT_KINDS:
        return _text(options.payload_bytes, options.seed)
    if options.kind == "noop":
        return bytes(options.payload_bytes)
    return b""  # the kind's own defaults


def _duration_payload(milliseconds: float) -> bytes:
    return json.dumps({"milliseconds": round(milliseconds, 3)}).encode()


def _text(size: int, seed: int) -> bytes:
    """Return ``size`` bytes of words; equal seeds give the same text."""
    words = random.Random(seed).choices(_WORDS, k=size // 4 + 1)
    return " ".join(words).ljust(size, ".")[:size].encode()
