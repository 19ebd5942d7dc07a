"""What ``load.json`` holds of a test besides its counts: what was asked for, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from taskqueue_load.options import LoadOptions
from taskqueue_load.profile import Profile
from taskqueue_load.session import Run


def window(run: Run, stopped_unix: float) -> tuple[float, float]:
    """Return when the drive began and ended, if it was stopped then; a shape ends before that."""
    from_unix, shape = run.start_unix, run.options.shape
    if shape is not None:
        stopped_unix = min(stopped_unix, from_unix + shape.seconds)
    return from_unix, max(from_unix, stopped_unix)


def facts(
    run: Run, stopped_unix: float, asked_seconds: float | None, host: str, users: int
) -> dict[str, Any]:
    """Return what the record holds of ``run``, whose drive was stopped at ``stopped_unix``.

    ``users`` is how many Locust was to start; with a shape of users it is their highest number.
    """
    asked = run.options
    from_unix, to_unix = window(run, stopped_unix)
    if asked.shape is not None:
        users = users if asked.is_open else round(asked.shape.peak)
    return {
        "host": host,
        "endpoints": list(run.endpoints),
        "seed": asked.seed,
        "mix": dict(asked.mix),
        "users": users,
        "options": {**asdict(asked), "shape": str(asked.shape or "")},
        "loop": "open" if asked.is_open else "closed",
        "offered": _offered(asked, run.profile),
        "window": {"from_unix": from_unix, "to_unix": to_unix},
        "asked_seconds": asked_seconds,
        "nominal_warmup": asked.warmup,
        "steps": list(_steps(run, to_unix, users)),
    }


def _offered(asked: LoadOptions, profile: Profile | None) -> dict[str, Any]:
    if not asked.is_open or profile is None:
        return {"rate": None, "process": None, "max_in_flight": None}
    return {
        "rate": profile.peak,
        "process": asked.arrivals,
        "max_in_flight": asked.max_in_flight,
    }


def _steps(run: Run, to_unix: float, users: int) -> Iterator[dict[str, Any]]:
    """Give the steps of the profile that were begun, in whole or in step."""
    word = "rate" if run.options.is_open else "users"
    if run.profile is None:
        spans = [(float(users), run.start_unix, to_unix)]
    else:
        spans = [
            (
                step.value,
                run.start_unix + step.from_seconds,
                min(run.start_unix + step.to_seconds, to_unix),
            )
            for step in run.profile.steps
            if run.start_unix + step.from_seconds < to_unix
        ]
    for index, (value, begin, end) in enumerate(spans):
        yield {
            "index": index,
            "label": f"{word}={value:g}",
            "value": value,
            "from_unix": begin,
            "to_unix": end,
        }
