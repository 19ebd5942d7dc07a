"""How long a drive was to last, and whether it did.

Locust sets the timer of ``--run-time`` before a test starts, and counts from the time
that the event loop noted last. After imports that is seconds ago, on a busy machine many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gevent
from locust import LoadTestShape

from taskqueue_load.shape import ProfileShape

# The part of what was asked for that a drive has to last; testbed/drive/figures/validity.py has
# it too.
LEAST = 0.98
# Exit code of a drive that was shorter and that nobody stopped.
SHORT_CODE = 3


def count_from_now() -> None:
    """Let timers that are set next count from now, after something that took its time.

    gevent does so by itself where the loop has run meanwhile, but neither in what comes before
    (as Locust's own start) nor where an answer of a socket or a timer resumed a greenlet.
    """
    gevent.get_hub().loop.update_now()


def asked_seconds(shape: LoadTestShape | None, given: Mapping[str, Any]) -> float | None:
    """Return how long a test is to last by Locust's options ``given`` and the shape that it has.

    ``None`` if that is until somebody stops it, or as long as a foreign shape has it.
    """
    run_time = given["run_time"] or math.inf
    if isinstance(shape, ProfileShape):
        run_time = min(run_time, shape.seconds)
    elif shape is not None and not shape.use_common_options:
        return None
    return None if math.isinf(run_time) else float(run_time)


def shortfall(lasted: float, asked: float | None) -> str:
    """Return in words that a drive of ``lasted`` seconds was too short; nothing if it was not."""
    if asked is None or lasted >= LEAST * asked:
        return ""
    return (
        f"the drive lasted {lasted:.2f} s of the {asked:g} s asked for: its figures are not of "
        "what was asked"
    )
