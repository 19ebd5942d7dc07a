"""A server of the public contract that takes a known time to answer, and says how long it took.

``python -m testbed.runs.calibrate.stub JOURNAL BEHAVIOUR`` binds a free port of loopback, prints it
and serves until its input ends, SIGTERM or SIGINT. BEHAVIOUR is the JSON of
:class:`~testbed.runs.calibrate.behaviour.Behaviour`. Jobs are accepted and forgotten; every status
is RUNNING. Methods that the behaviour does not name are not served. The time of a call begins when
its last byte has arrived in this process: what a server of gRPC takes is no part of the instrument.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import BinaryIO

import uvloop

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.runs.calibrate.behaviour import METHODS, Behaviour
from testbed.runs.calibrate.journal import STRUCT
from testbed.runs.calibrate.unary import Answer, Unary

_SERVICE = "taskqueue.v1.TaskQueueService"


class Stub:
    """Answers after the time that the behaviour gives, and notes each call in the journal."""

    def __init__(self, behaviour: Behaviour, journal: BinaryIO) -> None:
        self._behaviour = behaviour
        self._stall = behaviour.stall
        self._random = random.Random(behaviour.seed)
        self._journal = journal
        self._numbers = count(1)
        # One clock for everything: it steps with nobody who sets the time of day.
        self._unix_offset = time.time_ns() - time.monotonic_ns()
        self._record = struct.Struct(STRUCT)

    async def submit(self, _request: bytes, begin: int) -> bytes:
        """Accept a job."""
        answer = pb.SubmitJobResponse(job_id=f"{next(self._numbers):016d}").SerializeToString()
        await self._serve("SubmitJob", begin)
        return answer

    async def status(self, request: bytes, begin: int) -> bytes:
        """Say of any job that it runs."""
        job_id = pb.GetJobStatusRequest.FromString(request).job_id
        status = pb.JobStatus(job_id=job_id, state=pb.JOB_STATE_RUNNING)
        answer = pb.GetJobStatusResponse(status=status).SerializeToString()
        await self._serve("GetJobStatus", begin)
        return answer

    def now(self) -> int:
        """Return nanoseconds of the Unix clock."""
        return time.monotonic_ns() + self._unix_offset

    async def _serve(self, method: str, begin: int) -> None:
        due = begin + round(self._behaviour.service[method].draw(self._random.random()) * 1e6)
        await self._until(due)
        if self._stall is not None and (held := self._stall.held_ns(due)):
            await self._until(due + held)
        self._journal.write(self._record.pack(METHODS.index(method), begin, self.now()))

    async def _until(self, unix_ns: int) -> None:
        # The loop's timers have a resolution of a millisecond and may be early by one.
        while (left := unix_ns - self.now()) > 0:  # noqa: ASYNC110 - it is time that is awaited
            await asyncio.sleep(left / 1e9)


async def serve(behaviour: Behaviour, journal: BinaryIO) -> None:
    """Serve until stopped by a signal."""
    stub = Stub(behaviour, journal)
    methods = {"SubmitJob": stub.submit, "GetJobStatus": stub.status}
    served: dict[str, Answer] = {f"/{_SERVICE}/{name}": methods[name] for name in behaviour.service}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Unary(served, stub.now), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    # The end of the input is that of whoever started this, however that came about.
    loop.add_reader(sys.stdin.fileno(), _end_of_input(stopped))
    await stopped.wait()
    server.close()
    # Those who called have gone, or end with their connections.
    await asyncio.sleep(0)


def _end_of_input(stopped: asyncio.Event) -> Callable[[], None]:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            stopped.set()

    return read


def main() -> None:
    """Read the arguments and serve."""
    path, behaviour = Path(sys.argv[1]), Behaviour.from_data(json.loads(sys.argv[2]))
    with (
        path.open("wb") as journal,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve(behaviour, journal))


if __name__ == "__main__":
    main()
