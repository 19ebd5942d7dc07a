"""Injects a schedule of faults into one running stack, and writes each to the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from common.topology import Topology
from testbed.errors import TestbedError
from testbed.record.history.model import ALL_JOBS, LostJobs
from testbed.record.history.writer import HistoryWriter
from testbed.runs.faults import registry
from testbed.runs.faults.kind import usual_seconds
from testbed.runs.faults.plan import FaultPlan, PlannedFault
from testbed.runs.faults.servers import roles
from testbed.stack.runtimes.controls import Controls

# Seconds between two checks whether something has exited that should not have.
_TICK = 0.25


class NotHealed(TestbedError):
    """A fault was healed and the stack did not become healthy by itself."""


@dataclass
class InjectedFault:
    """An injected fault as it went: offsets in seconds from the begin of the drive.

    ``unhealthy`` names the processes that did not serve when the time for recovery was planned to
    be over, ``waited`` the seconds that it took them beyond that.
    """

    planned: PlannedFault
    begun: float
    ended: float = 0.0
    lost_state: tuple[str, ...] = ()
    unhealthy: tuple[str, ...] = ()
    waited: float = 0.0

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class FaultInjector:
    """Injects a schedule of faults.

    ``unhealthy`` names the processes of the stack that do not serve; ``watch`` is called several
    times a second and may raise to end it; ``on_progress`` is called with what is going on.
    """

    plan: FaultPlan
    topology: Topology
    controls: Controls
    writer: HistoryWriter
    unhealthy: Callable[[], tuple[str, ...]]
    watch: Callable[[], None]
    on_progress: Callable[[str], None]
    done: list[InjectedFault] = field(default_factory=list)

    def run(self, schedule: Sequence[PlannedFault]) -> None:
        """Inject all of ``schedule``.

        Raises :class:`NotHealed`, and whatever a fault raises that cannot be injected.
        """
        start = time.monotonic()
        self._wait_until(start + self.plan.lead)
        for which in schedule:
            self.on_progress(f"fault {which.number} of {len(schedule)}: {which.title}")
            done = self._inject(which, start)
            self.on_progress(f"after fault {which.number} of {len(schedule)}, {which.title}")
            self._wait_until(start + done.ended + self.plan.health_after(which))
            self._recover(done)

    def _inject(self, which: PlannedFault, start: float) -> InjectedFault:
        kind = registry.get(which.kind)
        target = roles.resolved(
            self.controls, self.topology, kind.target(self.topology, which.target)
        )
        parameters = kind.read(which.parameters)
        seconds = self.plan.lasts(which)
        if which.seconds is None and kind.seconds is not usual_seconds:
            seconds = kind.seconds(self.controls.record)
        lost = kind.lost_state(target)
        details = {name: f"{value:g}" for name, value in parameters.items()}
        held = self._jobs_of(lost)
        entry = self.writer.fault(which.kind, target.affected, lost, details, held)
        done = InjectedFault(which, time.monotonic() - start, lost_state=lost)
        self.done.append(done)
        try:
            kind.inject(self.controls, target, parameters)
            self._wait_until(start + done.begun + seconds)
        finally:
            # Also on the way out: what is paused could not be stopped gracefully.
            kind.heal(self.controls, target)
            self.writer.healed(entry)
            done.ended = time.monotonic() - start
        return done

    def _jobs_of(self, processes: Sequence[str]) -> LostJobs:
        """Return which jobs some processes that hold state have in their memory."""
        homes = [self.topology.process(each).home for each in processes]
        known = tuple(home for home in homes if home is not None)
        return known if len(known) == len(homes) else ALL_JOBS

    def _recover(self, done: InjectedFault) -> None:
        """See that all processes serve again, with nobody's help."""
        done.unhealthy = self.unhealthy()
        begun = time.monotonic()
        while left := (self.unhealthy() if done.unhealthy else ()):
            done.waited = time.monotonic() - begun
            if done.waited > self.plan.recovery:
                health = self.plan.health_after(done.planned)
                raise NotHealed(
                    f"{', '.join(left)} did not serve {health + self.plan.recovery:g} s "
                    f"after fault {done.planned.number}, {done.planned.title}, was healed"
                )
            self._wait_until(time.monotonic() + _TICK)

    def _wait_until(self, moment: float) -> None:
        while (left := moment - time.monotonic()) > 0:
            self.watch()
            time.sleep(min(_TICK, left))
