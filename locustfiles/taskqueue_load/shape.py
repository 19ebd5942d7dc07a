"""Has Locust's users follow a profile, and ends the test with it.

Locust uses any class of its base that it finds in a locustfile, always. This one is abstract, so
that it is not found, and is handed to Locust only for tests with ``--shape``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from locust import LoadTestShape

from taskqueue_load.profile import Profile
from taskqueue_load.session import Run

_SPAWN_RATE = 100.0


class ProfileShape(LoadTestShape):
    """Follows a profile: its users in a closed loop, or just its end in an open one.

    There the users are as many all the time as Locust was to start, and the rate follows the
    profile in each process. ``current_run`` is asked for the test once it has begun. ``given`` are
    Locust's options as they are; their run time ends the test earlier.
    """

    abstract = True
    # So that the web form goes on to show users and run time.
    use_common_options = True

    def __init__(
        self,
        profile: Profile,
        is_open: bool,
        given: Mapping[str, Any],
        current_run: Callable[[], Run | None],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._profile = profile
        self._open = is_open
        self._given = given
        self._current_run = current_run
        self._begun = False

    @property
    def seconds(self) -> float:
        """How long the profile is."""
        return self._profile.seconds

    def tick(self) -> tuple[int, float] | None:
        """Return the users of now and how fast they are to come; ``None`` ends the test."""
        run = self._current_run()
        if run is None and self._begun:  # it could not start; the reason is in the log
            return None
        self._begun = True
        seconds = 0.0 if run is None else time.time() - run.start_unix
        if seconds >= min(self._profile.seconds, self._given["run_time"] or math.inf):
            return None
        users = (self._given["num_users"] or 1) if self._open else self._profile.at(seconds)
        return round(users), _SPAWN_RATE
