"""Kind ``spin``: burns CPU time, like a job that computes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from common.handlers._payload import dump_json, parse_json, real
from common.handlers.registry import Handler


@dataclass(frozen=True, slots=True)
class Params:
    """``milliseconds`` is CPU time, not time on the clock."""

    milliseconds: float = real(100, 0, 600_000)


def parse(payload: bytes) -> Params:
    """Read the parameters from JSON."""
    return parse_json(payload, Params)


def run(params: Params) -> bytes:
    """Compute until the thread has used the CPU for that long."""
    end = time.thread_time() + params.milliseconds / 1000
    value = 1
    while time.thread_time() < end:
        for _ in range(200):
            value = value * 48_271 % 2_147_483_647
    return output(params)


def output(params: Params) -> bytes:
    """Return what every execution gives."""
    return dump_json({"milliseconds": params.milliseconds})


HANDLER = Handler("spin", "burns some milliseconds of CPU time", parse, run, burns_cpu=True)
