"""Kind ``sleep``: waits without using the CPU, like a job that waits for another system."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from common.handlers._payload import MAX_SEED, dump_json, optional_integer, parse_json, real
from common.handlers.registry import Handler, JobFailed


@dataclass(frozen=True, slots=True)
class Params:
    """``jitter`` is the largest deviation from ``milliseconds``, as a fraction of it."""

    milliseconds: float = real(100, 0, 600_000)
    jitter: float = real(0, 0, 1)
    failure_probability: float = real(0, 0, 1)
    seed: int | None = optional_integer(0, MAX_SEED)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one execution does, drawn from the parameters."""

    milliseconds: float
    fails: bool


def parse(payload: bytes) -> Params:
    """Read the parameters from JSON."""
    return parse_json(payload, Params)


def plan(params: Params) -> Draw:
    """Draw the delay and whether the job fails; equal seeds draw the same."""
    generator = random.Random(params.seed)
    deviation = params.jitter * generator.uniform(-1, 1)
    fails = generator.random() < params.failure_probability
    return Draw(params.milliseconds * (1 + deviation), fails)


async def run(params: Params) -> bytes:
    """Wait; then return the delay that was drawn, or fail with ``SIMULATED_FAILURE``."""
    drawn = plan(params)
    await asyncio.sleep(drawn.milliseconds / 1000)
    if drawn.fails:
        raise JobFailed("SIMULATED_FAILURE", f"failed after {drawn.milliseconds:.3f} ms")
    return output(drawn)


def output(drawn: Draw) -> bytes:
    """Return what an execution gives that does not fail."""
    return dump_json({"milliseconds": round(drawn.milliseconds, 3)})


HANDLER = Handler("sleep", "waits for some milliseconds without using the CPU", parse, run)
