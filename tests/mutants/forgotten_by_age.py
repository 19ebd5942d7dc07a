"""Jobs are forgotten by their age, counted from their creation, and not from their end."""

from __future__ import annotations

from common.owners.jobs import JobOwner
from tests.mutants import Mutant, Patches


def _apply(patches: Patches) -> None:
    def forget(self: JobOwner) -> None:
        latest = self._clock.now() - self._retention
        for job in [each for each in self._jobs.values() if each.create_time <= latest]:
            self._drop(job)
        self._ended.clear()

    patches.set(JobOwner, "_forget_ended", forget)


MUTANT = Mutant("jobs are forgotten by their age", ("a", "b"), {"lost"}, _apply, "retention")
