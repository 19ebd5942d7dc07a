"""Observes a process and its family: whether they run, and what they have used."""

from __future__ import annotations

import time

from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes import ProcessStatus
from testbed.stack.runtimes.local.family import Census
from testbed.stack.runtimes.local.meter import use_of


def observe(record: ProcessRecord, metrics: str, answer: str, census: Census) -> ProcessStatus:
    """Return how a process is; ``answer`` is what its health service answered."""
    process = record.process()
    use = use_of(process, census) if process else None
    if use is None:
        return ProcessStatus(record, metrics, "dead")
    since = time.time() - record.create_time
    return ProcessStatus(record, metrics, answer, since, use.cpu_seconds, use.memory_bytes)
