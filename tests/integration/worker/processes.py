"""The processes that executors of this process run jobs in."""

from __future__ import annotations

import contextlib

import psutil

from tests.support.children import children_with
from tests.support.waiting import eventually_async as eventually


def processes_for_work() -> list[psutil.Process]:
    """The processes that the fork server of this process has forked."""
    return [each for child in children_with("forkserver") for each in child.children()]


async def until_one_computes() -> psutil.Process:
    return await eventually(first_that_computes)


def first_that_computes() -> psutil.Process | None:
    for process in processes_for_work():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cpu_times().user > 0.3:
                return process
    return None
