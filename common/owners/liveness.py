"""The liveness owner: sole writer of which workers live and what they were handed.

A worker is alive while it was last seen within the heartbeat timeout. What it holds is known from
the assignments made to it and from its heartbeats; the latter let a restarted coordinator find out
what is running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.domain.job import MICROSECONDS, Execution
from common.ports import Clock


@dataclass(slots=True)
class _Worker:
    """One worker: when it was last seen, and since when it holds which executions."""

    slots: int
    seen: int
    held: dict[Execution, int] = field(default_factory=dict)


class LivenessOwner:
    """The ``Liveness`` port: holds all workers. ``timeout`` is the heartbeat timeout in seconds."""

    def __init__(self, clock: Clock, timeout: float) -> None:
        self._clock = clock
        self._timeout = int(timeout * MICROSECONDS)
        self._workers: dict[str, _Worker] = {}

    def seen(self, worker: str, slots: int) -> None:
        now = self._clock.now()
        known = self._workers.get(worker)
        if known is None:
            self._workers[worker] = _Worker(slots, now)
        else:
            known.slots, known.seen = slots, now

    def assign(self, worker: str, executions: Iterable[Execution]) -> None:
        now = self._clock.now()
        self._workers[worker].held.update(dict.fromkeys(executions, now))

    def reconcile(self, worker: str, reported: Iterable[Execution]) -> list[Execution]:
        """Take over what a seen worker reports to hold.

        Returns the executions that were handed to it longer than the timeout ago and that it does
        not hold: the answer that carried them was lost, so they have to run again.
        """
        now = self._clock.now()
        held = self._workers[worker].held
        reported = set(reported)
        for execution in reported:
            held.setdefault(execution, now)
        missing = [
            execution
            for execution, since in held.items()
            if execution not in reported and now - since > self._timeout
        ]
        for execution in missing:
            del held[execution]
        return missing

    def settle(self, worker: str, executions: Iterable[Execution]) -> None:
        known = self._workers.get(worker)
        if known is not None:
            for execution in executions:
                known.held.pop(execution, None)

    def expire(self) -> dict[str, list[Execution]]:
        latest = self._clock.now() - self._timeout
        dead = [name for name, worker in self._workers.items() if worker.seen < latest]
        return {name: list(self._workers.pop(name).held) for name in dead}

    def until_next_expiry(self) -> float | None:
        if not self._workers:
            return None
        first = min(worker.seen for worker in self._workers.values())
        return max(0, first + self._timeout - self._clock.now()) / MICROSECONDS

    def held(self) -> list[Execution]:
        return [execution for worker in self._workers.values() for execution in worker.held]

    def alive(self) -> int:
        """Number of workers alive."""
        return len(self._workers)

    def silence(self) -> float:
        """Seconds since the most silent worker alive was seen; 0 while there is none."""
        if not self._workers:
            return 0.0
        first = min(worker.seen for worker in self._workers.values())
        return max(0, self._clock.now() - first) / MICROSECONDS

    def slots(self) -> int:
        """Execution slots of the workers alive."""
        return sum(worker.slots for worker in self._workers.values())

    def slots_busy(self) -> int:
        """Executions that the workers alive hold."""
        return sum(len(worker.held) for worker in self._workers.values())
