"""The test that runs in this process: what Locust's events turn into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path

from taskqueue_load import profile
from taskqueue_load.arrivals import Arrivals, Source
from taskqueue_load.channels import ChannelPool
from taskqueue_load.history import CallHistory
from taskqueue_load.jobs import JobFactory
from taskqueue_load.options import LoadOptions
from taskqueue_load.profile import Profile
from taskqueue_load.recorder import OnBroken, Recorder, ignored
from taskqueue_load.schedule import Share, due_times


class Run:
    """One test in one process: its options, endpoints, connections, recorder and arrivals.

    ``start_unix`` is when the drive begins, the same in all processes; ``share`` is this process's
    part in what all send, ``None`` if it sends nothing. ``folder`` is where to record, ``None``
    for nowhere; ``on_broken`` gets the error if that cannot be continued.
    """

    def __init__(
        self,
        options: LoadOptions,
        endpoints: Sequence[str],
        start_unix: float,
        share: Share | None,
        folder: Path | None,
        on_broken: OnBroken = ignored,
    ) -> None:
        self.options = options
        self.endpoints = tuple(endpoints)
        self.start_unix = start_unix
        self.folder = folder
        self.jobs = JobFactory(options)
        self.profile = profile_of(options)
        timing = options.metrics_port is not None
        self.recorder = Recorder(folder, options.is_open, timing, on_broken)
        # A process that sends nothing has nothing to record.
        self.history = None if share is None else _history(options, on_broken)
        self.arrivals: Arrivals | None = None
        self._share = share
        self._numbers = count()

    def open(self, make_source: Callable[[], Source]) -> None:
        """Begin to send, if calls are sent at a rate and this process has a share of them."""
        if self.profile is None or not self.options.is_open or self._share is None:
            return
        self.arrivals = Arrivals(
            due_times(self.profile, self.options.arrivals, self.options.seed, self._share),
            self._share.of(self.options.max_in_flight),
            self.recorder,
            make_source,
        )
        self.arrivals.start(self.start_unix)

    @cached_property
    def pool(self) -> ChannelPool:
        """The connections, opened when the first user asks; a process without users has none."""
        return ChannelPool(self.endpoints, self.options.client)

    @property
    def load(self) -> str:
        """The load in words, as a graph names it."""
        if self.options.shape is not None:
            return self.options.shape.text
        return "users" if self.options.rate is None else f"{self.options.rate:g} calls/s"

    def next_user(self) -> tuple[int, str]:
        """Return the number of a new user in this process, and a name that is its own in the test.

        Equal tests give their users equal names.
        """
        number = next(self._numbers)
        return number, f"{0 if self._share is None else self._share.index}/{number}"

    def stop_arrivals(self, seconds: float) -> None:
        """Begin no further call of an open loop; those in flight have so many seconds to end."""
        if self.arrivals is not None:
            self.arrivals.stop()
            self.arrivals.wait(seconds)

    def close(self) -> None:
        """Close connections. No call may be in flight."""
        if "pool" in self.__dict__:
            self.pool.close()
        if self.history is not None:
            self.history.close()


def _history(options: LoadOptions, on_broken: OnBroken) -> CallHistory | None:
    if not options.history:
        return None
    return CallHistory(Path(options.history), options.design, on_broken)


def profile_of(options: LoadOptions) -> Profile | None:
    """Return the load over time; ``None`` if the load is a number of users."""
    if options.shape is not None:
        return options.shape
    return None if options.rate is None else profile.constant(options.rate)


class Session:
    """Holds the run while there is one; all users of a process share it."""

    run: Run | None = None
