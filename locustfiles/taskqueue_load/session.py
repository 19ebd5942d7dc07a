"""The test that runs in this process: what Locust's events turn into."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import count
from pathlib import Path

from taskqueue_load.channels import ChannelPool
from taskqueue_load.jobs import JobFactory
from taskqueue_load.options import LoadOptions
from taskqueue_load.recorder import Recorder


class Run:
    """One test in one process: its options, endpoints, connections and recorder.

    ``process`` numbers the processes of a distributed test from 0. ``folder`` is where to record,
    ``None`` for nowhere.
    """

    def __init__(
        self, options: LoadOptions, endpoints: Sequence[str], process: int, folder: Path | None
    ) -> None:
        self.options = options
        self.endpoints = tuple(endpoints)
        self.folder = folder
        self.jobs = JobFactory(options)
        self.recorder = None if folder is None else Recorder(folder, options.warmup)
        self._process = process
        self._numbers = count()

    @cached_property
    def pool(self) -> ChannelPool:
        """The connections, opened when the first user asks; a process without users has none."""
        return ChannelPool(self.endpoints)

    def next_user(self) -> tuple[int, str]:
        """Return the number of a new user in this process, and a name that is its own in the test.

        Equal tests give their users equal names.
        """
        number = next(self._numbers)
        return number, f"{self._process}/{number}"

    def close(self) -> None:
        """Close connections and files. No call may be in flight."""
        if self.recorder is not None:
            self.recorder.close()
        if "pool" in self.__dict__:
            self.pool.close()


class Session:
    """Holds the run while there is one; all users of a process share it."""

    run: Run | None = None
