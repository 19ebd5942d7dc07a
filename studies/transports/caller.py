"""Makes calls with one client, as many users at a time as asked, and counts what they cost.

``python -m studies.transports.caller CLIENT HOST:PORT SECONDS USERS...`` prints a row of JSON for
each number of users: users, calls, seconds of CPU of this process, seconds.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "locustfiles"))

# Patches the process as Locust does, before anything else is imported.
from taskqueue_load.channels import ChannelPool  # isort: skip

import gevent

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb

WARM_UP = 0.5
DEADLINE = 5.0


def call(pool: ChannelPool, users: int, seconds: float) -> int:
    """Let each user make a call when its last was answered; returns how many there were."""
    request = pb.SubmitJobRequest(job=pb.JobSpec(kind="noop", payload=b"x" * 64))
    end = time.perf_counter() + seconds
    counts = [0] * users

    def user(number: int) -> None:
        stub = pool.stubs[number % len(pool.stubs)]
        while time.perf_counter() < end:
            stub.SubmitJob(request, timeout=DEADLINE)
            counts[number] += 1

    gevent.joinall([gevent.spawn(user, number) for number in range(users)], raise_error=True)
    return sum(counts)


def main(client: str, endpoint: str, seconds: float, numbers: list[int]) -> None:
    """Warm up, then measure each number of users."""
    pool = ChannelPool([endpoint], client)
    call(pool, max(numbers), WARM_UP)
    gc.collect()
    for users in numbers:
        began, cpu = time.perf_counter(), time.process_time()
        calls = call(pool, users, seconds)
        row = [users, calls, time.process_time() - cpu, time.perf_counter() - began]
        sys.stdout.write(json.dumps(row) + "\n")
    pool.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), list(map(int, sys.argv[4:])))
