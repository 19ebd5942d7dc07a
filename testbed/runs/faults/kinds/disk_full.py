"""The disk of a server is full."""

from __future__ import annotations

import time

from common.process_spec import POSTGRES, REDIS
from testbed.errors import TestbedError
from testbed.runs.faults.kind import Kind, Parameters, Target
from testbed.runs.faults.targets import serving
from testbed.stack.runtimes import health
from testbed.stack.runtimes.controls import Controls, process_of

_WITHIN = 30.0
_TICK = 0.25
_ANSWER = 1.0


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    controls.fill_disk(target.name)


def _heal(controls: Controls, target: Target) -> None:
    """Give the disk back, and start the server again if it has ended, or is about to."""
    controls.empty_disk(target.name)
    until = time.monotonic() + _WITHIN
    while not (controls.start(target.name) or _serves(controls, target)):
        if time.monotonic() > until:
            raise TestbedError(f"{target.name} did not serve {_WITHIN:g} s after it had its disk")
        time.sleep(_TICK)


def _serves(controls: Controls, target: Target) -> bool:
    server = health.Server.of(process_of(controls.record, target.name))
    return health.check({target.name: server}, _ANSWER)[target.name] == health.SERVING


def _remains(controls: Controls, target: Target) -> bool:
    return controls.is_disk_full(target.name)


KIND = Kind(
    name="disk_full",
    about="A server can write nothing more to its disk. It is started again if that ends it.",
    targets=serving(REDIS, POSTGRES),
    inject=_inject,
    heal=_heal,
    remains=_remains,
    services=(REDIS, POSTGRES),
)
