"""Records that are made together with their entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from common.domain.ids import IdMint
from common.domain.job import Job, JobSpec
from common.ports import Clock, NewJob, Submission
from common.stores.joining import Joining
from common.stores.postgres.connection import Connection, Rows
from common.stores.postgres.records import text
from common.stores.postgres.submits import Submits, columns
from common.stores.postgres.waiters import Waking


@dataclass(frozen=True, slots=True)
class Accepted(NewJob):
    """A record to create with its entry, and the ids under which that was tried."""

    spec: JobSpec = field(kw_only=True)
    correlation_id: str = field(kw_only=True)
    tried: list[str] = field(default_factory=list, kw_only=True)

    @classmethod
    def of(cls, submission: Submission) -> Accepted:
        """Return one that was not tried yet."""
        new = submission.job
        return cls(
            new.kind,
            new.request_id,
            new.digest,
            new.submit_id,
            spec=submission.spec,
            correlation_id=submission.correlation_id,
        )


class Accepts(Submits):
    """Makes records together with their entries, and wakes who waits for those."""

    def __init__(
        self,
        joining: Joining[Rows, Rows],
        waking: Waking,
        connection: Connection,
        mint: IdMint,
        clock: Clock,
        over: Callable[[], int],
    ) -> None:
        super().__init__(connection, mint, clock, over)
        self._joining = joining
        self._waking = waking

    async def _insert(self, jobs: Sequence[NewJob], new: Sequence[Job]) -> set[str]:
        accepted = cast(Sequence[Accepted], jobs)
        for each, job in zip(accepted, new, strict=True):
            each.tried.append(job.id)
        rows, went_along = await self._joining.accept(
            (
                *columns(jobs, new),
                [each.spec.payload for each in accepted],
                [each.spec.execution_timeout for each in accepted],
                [text(each.correlation_id) for each in accepted],
                self._clock.now(),
            )
        )
        if rows:
            # What goes along comes behind what the exchange has brought: others know of that.
            self._waking.wake(pressing=not went_along)
        return {row["id"] for row in rows}
