"""How long is left: planned times of the phases, corrected by what they really took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping


class Pace:
    """Estimates the progress of a row of equal trials.

    ``planned`` has the phases of one trial in their order with the seconds expected; ``clock``
    gives seconds that never go back.
    """

    def __init__(
        self, trials: int, planned: Mapping[str, float], clock: Callable[[], float]
    ) -> None:
        self._trials = trials
        self._planned = planned
        self._clock = clock
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._done = 0
        self._phase = ""
        self._since = 0.0

    def expect(self, trials: int) -> None:
        """There will be so many trials in all, those that are over included."""
        self._trials = trials

    def enter(self, phase: str) -> None:
        """The trial enters a phase; the one before is over."""
        self._close()
        self._phase, self._since = phase, self._clock()

    def end_trial(self) -> None:
        """The trial is over, whichever phases it went through."""
        self._close()
        self._done += 1

    def total(self) -> float:
        """Return the seconds that all trials will have taken, as far as can be estimated."""
        return self._trials * sum(map(self._expected, self._planned))

    def elapsed(self) -> float:
        """Return the seconds of :meth:`total` that are behind; a slow phase stops at its end."""
        behind = self._done * sum(map(self._expected, self._planned))
        for phase in self._planned:
            if phase == self._phase:
                return behind + min(self._clock() - self._since, self._expected(phase))
            behind += self._expected(phase) if self._phase else 0.0
        return behind

    def left(self) -> float:
        """Return the seconds left."""
        return max(0.0, self.total() - self.elapsed())

    def _expected(self, phase: str) -> float:
        taken = self._taken[phase]
        return sum(taken) / len(taken) if taken else self._planned[phase]

    def _close(self) -> None:
        if self._phase:
            self._taken[self._phase].append(self._clock() - self._since)
        self._phase = ""
