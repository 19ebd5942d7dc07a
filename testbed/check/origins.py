"""Origins: which submit a job comes from that no submit was answered with.

An indefinite submit makes one job at most. Whether there is a way to give each such job a submit of
its own, of its kind and invoked before the job was first seen, a greedy pass in the order of time
shows: a submit that is there for one job is there for every later one, so any choice is as good.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from testbed.check.index import Index, JobHistory
from testbed.check.observations import Sign
from testbed.record.history.model import OPEN_END, CallOutcome, Operation, Seen, Submitted


class Origins(NamedTuple):
    """Jobs that no submit was answered with: those of an indefinite one, and those of none.

    ``passing`` are those of a submit that was undone: they were queued for a moment and then
    removed.
    """

    recovered: list[JobHistory]
    passing: list[JobHistory]
    unexplained: list[JobHistory]
    replaced: Replaced


class _Orphan(NamedTuple):
    first_seen: int
    job: JobHistory
    kind: str


def trace(index: Index) -> Origins:
    """Find the origins of all jobs that no submit was answered with."""
    sources, undone, replaced = _sources(index)
    orphans: dict[str, list[_Orphan]] = {}
    passing: list[JobHistory] = []
    for orphan in _orphans(index):
        if undone.explains(orphan):
            passing.append(orphan.job)
        else:
            orphans.setdefault(orphan.kind, []).append(orphan)
    recovered: list[JobHistory] = []
    unexplained: list[JobHistory] = []
    # Jobs whose kind no answer showed take what the others leave.
    unknown = orphans.pop("", [])
    for kind, some in orphans.items():
        _assign(some, sources.get(kind, []), recovered, unexplained)
    left = sorted((each for some in sources.values() for each in some), key=_invoked)
    _assign(unknown, left, recovered, unexplained)
    return Origins(recovered, passing, unexplained, replaced)


def _orphans(index: Index) -> list[_Orphan]:
    found = []
    for job in index.jobs.values():
        if job.submits:
            continue
        first_seen = job.first_sight
        if first_seen < OPEN_END:
            shown = (each.what for each in (*job.observations, *job.late))
            kind = next((what.kind for what in shown if isinstance(what, Seen)), "")
            found.append(_Orphan(first_seen, job, kind))
    return sorted(found, key=lambda orphan: orphan.first_seen)


def _assign(
    orphans: Iterable[_Orphan],
    sources: list[Operation],
    recovered: list[JobHistory],
    unexplained: list[JobHistory],
) -> None:
    """Give each job a source that was invoked before; take those that are used out of ``sources``.

    The latest is taken, so that the earliest are left for those that come after.
    """
    waiting = sources[::-1]
    free: list[Operation] = []
    for orphan in orphans:
        while waiting and waiting[-1].invoked <= orphan.first_seen:
            free.append(waiting.pop())
        if free:
            free.pop()
            recovered.append(orphan.job)
        else:
            unexplained.append(orphan.job)
    sources[:] = [*free, *reversed(waiting)]


def _sources(index: Index) -> tuple[dict[str, list[Operation]], _Undone, Replaced]:
    """Return the submits that may have made a job that stays, by kind, and those that may not."""
    sources: dict[str, list[Operation]] = {}
    undone: list[tuple[Operation, int]] = []
    replaced: list[tuple[Operation, Operation]] = []
    accepted = _Accepted(index)
    for submit in index.submits:
        if submit.outcome is CallOutcome.OK or not isinstance(submit.asked, Submitted):
            continue
        if submit.outcome is CallOutcome.FAIL:
            undone.append((submit, submit.completed))
        elif (other := accepted.instead_of(submit.invoked, submit.asked.request_id)) is not None:
            undone.append((submit, other.completed))
            replaced.append((submit, other))
        else:
            sources.setdefault(submit.asked.kind, []).append(submit)
    return sources, _Undone(undone), Replaced(replaced)


class Replaced:
    """Indefinite submits whose job is that of an equal one that was accepted, by kind."""

    def __init__(self, submits: Iterable[tuple[Operation, Operation]]) -> None:
        self._by_kind: dict[str, list[tuple[Operation, Operation]]] = {}
        for submit, other in submits:
            assert isinstance(submit.asked, Submitted)
            self._by_kind.setdefault(submit.asked.kind, []).append((submit, other))

    def before(self, time: int, kind: str) -> tuple[Operation, ...]:
        """Return the last that was invoked by then, and the other that was accepted, if any."""
        some = self._by_kind.get(kind, [])
        number = bisect_right(some, time, key=lambda pair: pair[0].invoked)
        return some[number - 1] if number else ()


class _Accepted:
    """When submits with a request id were first invoked, and which was first answered."""

    def __init__(self, index: Index) -> None:
        self._losses = index.losses
        self._forget = index.history.retention_us > 0
        self._first: dict[str, tuple[int, Operation]] = {}
        for request_id, submits in index.by_request.items():
            accepted = [submit for submit in submits if submit.outcome is CallOutcome.OK]
            if accepted:
                first = min(accepted, key=lambda submit: submit.completed)
                self._first[request_id] = accepted[0].invoked, first

    def instead_of(self, invoked: int, request_id: str) -> Operation | None:
        """Return the equal submit that was the first to be accepted, if one was.

        Its job is that of the one invoked here too, unless memory was lost or that job forgotten
        since: an indefinite submit may have its effect at any time.
        """
        if request_id not in self._first:
            return None
        first_invoked, first = self._first[request_id]
        if self._forget or self._losses.after(min(invoked, first_invoked)):
            return None
        return first


class _Undone:
    """Submits that left no job behind, each with the time at which that is certain.

    Until then a record may have been there, queued, that is withdrawn because it could not be
    enqueued.
    """

    def __init__(self, submits: Iterable[tuple[Operation, int]]) -> None:
        by_kind: dict[str, list[tuple[int, int]]] = {}
        for submit, end in submits:
            assert isinstance(submit.asked, Submitted)
            by_kind.setdefault(submit.asked.kind, []).append((submit.invoked, end))
        self._begins = {kind: [begin for begin, _ in some] for kind, some in by_kind.items()}
        self._ends = {
            kind: list(accumulate((end for _, end in some), max)) for kind, some in by_kind.items()
        }

    def explains(self, orphan: _Orphan) -> bool:
        """Say whether the job was queued, and seen, while such a submit was under way."""
        observations = [
            each
            for each in (*orphan.job.observations, *orphan.job.late)
            if each.what is not Sign.NOT_FOUND
        ]
        if any(each.started or each.terminal for each in observations):
            return False
        last = max(each.op.invoked for each in observations)
        kinds = [orphan.kind] if orphan.kind else self._begins
        return any(self._covers(kind, orphan.first_seen, last) for kind in kinds)

    def _covers(self, kind: str, first: int, last: int) -> bool:
        number = bisect_right(self._begins.get(kind, []), first)
        return number > 0 and self._ends[kind][number - 1] >= last


def _invoked(operation: Operation) -> int:
    return operation.invoked
