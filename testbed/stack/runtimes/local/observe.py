"""Observes a process and its descendants: whether they run, and what they have used."""

from __future__ import annotations

import time

import psutil

from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes import ProcessStatus


def observe(record: ProcessRecord, metrics: str, answer: str) -> ProcessStatus:
    """Return how a process is; ``answer`` is what its health service answered."""
    process = record.process()
    if process is None:
        return ProcessStatus(record, metrics, "dead")
    try:
        family = [process, *process.children(recursive=True)]
        cpu, memory = map(sum, zip(*(_usage(each) for each in family), strict=True))
        return ProcessStatus(
            record, metrics, answer, time.time() - record.create_time, cpu, int(memory)
        )
    except psutil.NoSuchProcess:
        return ProcessStatus(record, metrics, "dead")


def _usage(process: psutil.Process) -> tuple[float, float]:
    """Return CPU seconds and resident bytes; of a child that has ended meanwhile, none."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            return times.user + times.system, float(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0.0, 0.0
