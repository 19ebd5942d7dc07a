"""The clock of a process, which others on the machine have to agree with."""

from __future__ import annotations

import itertools
import time

import pytest

from common.clock import SystemClock

STARTED_AT = 1_700_000_000_000_000_000


class Machine:
    """Its clocks are right, and reading one takes 50 ns, but for some readings that had to wait."""

    def __init__(self, waits: dict[int, int]) -> None:
        self._waits = waits
        self._readings = itertools.count()
        self._now = 0

    def monotonic_ns(self) -> int:
        self._now += self._waits.get(next(self._readings), 50)
        return self._now

    def time_ns(self) -> int:
        return STARTED_AT + self.monotonic_ns()


def clock_of(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> SystemClock:
    monkeypatch.setattr(time, "monotonic_ns", machine.monotonic_ns)
    monkeypatch.setattr(time, "time_ns", machine.time_ns)
    return SystemClock()


@pytest.mark.parametrize("waiting", range(4))
def test_a_process_that_waits_for_a_core_while_it_starts_has_the_time_of_others(
    waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine({waiting: 80_000_000})
    clock = clock_of(machine, monkeypatch)
    right = machine.time_ns() // 1000
    assert abs(clock.now() - right) <= 1
