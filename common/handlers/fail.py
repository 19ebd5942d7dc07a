"""Kind ``fail``: always fails, to see what becomes of a failure."""

from __future__ import annotations

from dataclasses import dataclass

from common.handlers._payload import parse_json, text
from common.handlers.registry import Handler, JobFailed, is_reason


@dataclass(frozen=True, slots=True)
class Params:
    """The message of the job's failure."""

    reason: str = text("FAILURE_REQUESTED", 64)
    message: str = text("the job was asked to fail", 1000)


def parse(payload: bytes) -> Params:
    """Read the parameters from JSON."""
    params = parse_json(payload, Params)
    if not is_reason(params.reason):
        raise ValueError(f"reason must be upper snake case, is {params.reason!a}")
    return params


async def run(params: Params) -> bytes:
    """Fail."""
    raise JobFailed(params.reason, params.message)


HANDLER = Handler("fail", "always fails with the given reason and message", parse, run)
