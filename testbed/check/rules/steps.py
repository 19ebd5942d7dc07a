"""States and attempts move as the lifecycle table says, and never back."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, Job
from testbed.check.looks import TERMINAL, Look, Sign
from testbed.check.rules._canceled import acknowledged, contradicts
from testbed.check.rules._record import wrong_by_itself
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import Seen, Submitted


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if job.looks:
            finding = _alone(job) or _together(job) or _backwards(job) or _uncaused(job)
            if finding is not None:
                yield finding


def _alone(job: Job) -> Finding | None:
    """Return the first look that no job can show."""
    for look in job.looks:
        if problem := wrong_by_itself(job.id, look):
            return Finding(job.id, problem, (look.op,))
    return None


def _together(job: Job) -> Finding | None:
    """Compare what is the same in all looks, or in all looks at an attempt, in whatever order."""
    whole: tuple[Look, Seen] | None = None
    attempts: dict[int, tuple[Look, Seen]] = {}
    for look in job.looks:
        seen = look.what
        if not isinstance(seen, Seen):
            continue
        if whole is None:
            whole = look, seen
            if finding := _not_submitted(job, look, seen):
                return finding
        elif seen.kind != whole[1].kind or seen.create_us != whole[1].create_us:
            text = "has another kind or time of creation in two answers"
            return Finding(job.id, text, (whole[0].op, look.op))
        if seen.attempt:
            other, there = attempts.setdefault(seen.attempt, (look, seen))
            if seen.worker != there.worker or seen.start_us != there.start_us:
                text = f"has two workers or two starts of attempt {seen.attempt}"
                return Finding(job.id, text, (other.op, look.op))
    return None


def _not_submitted(job: Job, look: Look, seen: Seen) -> Finding | None:
    for submit in job.submits:
        if isinstance(submit.asked, Submitted) and submit.asked.kind != seen.kind:
            text = f"was submitted as {submit.asked.kind}, and is {seen.kind}"
            return Finding(job.id, text, (submit, look.op))
    return None


def _backwards(job: Job) -> Finding | None:
    """Follow the looks in real time: none may show less than one that was answered before."""
    if len(job.looks) == 1:
        return None
    known = _Known(job)
    for number in job.order:
        if number < 0:
            known.take(job.looks[~number])
        elif found := known.against(job.looks[number]):
            before, text = found
            return Finding(job.id, text, (*(each.op for each in before), job.looks[number].op))
    return _beyond_the_end(job)


class _Known:
    """What the looks that were answered so far show at least.

    Terminal looks are left out: what may follow them is a rule of its own.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._running: Look | None = None
        self._highest: Look | None = None
        self._attempt = 0
        self._canceling: Look | None = None
        self._sight: Look | None = None
        self._gone: tuple[Look, Look] | None = None

    def take(self, look: Look) -> None:
        """Take in an answer."""
        seen = look.what
        if seen is Sign.NOT_FOUND:
            sight = self._sight
            if sight is not None and sight.before(look) and not _owed(self._job, look):
                self._gone = self._gone or (sight, look)
            return
        self._sight = self._sight or look
        if not isinstance(seen, Seen) or seen.state in TERMINAL:
            return
        if seen.state == "RUNNING":
            self._running = self._running or look
        if seen.attempt > self._attempt:
            self._attempt, self._highest = seen.attempt, look
        if seen.cancel_requested:
            self._canceling = self._canceling or look

    def against(self, look: Look) -> tuple[tuple[Look, ...], str] | None:
        """Return what contradicts a look that was asked for now, and how."""
        seen = look.what
        if seen is Sign.NOT_FOUND:
            return None
        if self._gone is not None:
            return self._gone, "was there, was not, and is there again"
        if not isinstance(seen, Seen):
            return None
        if self._running is not None and seen.state == "QUEUED":
            return (self._running,), "was RUNNING, and later QUEUED"
        if self._highest is not None and seen.attempt < self._attempt:
            text = f"had attempt {self._attempt}, and later {seen.attempt}"
            return (self._highest,), text
        if self._canceling is not None and not seen.cancel_requested:
            return (self._canceling,), "had a cancel requested, and later not"
        return None


def _owed(job: Job, look: Look) -> bool:
    """Say whether other rules forbid that the job is not found by then."""
    accepted, terminal = job.accepted, job.first_terminal
    return (accepted is not None and accepted.completed < look.op.invoked) or (
        terminal is not None and terminal.before(look)
    )


def _beyond_the_end(job: Job) -> Finding | None:
    """Find an attempt above that of the terminal record, which is the last there is."""
    ends = (look for look in job.looks if look.terminal and isinstance(look.what, Seen))
    end = min(ends, key=lambda look: look.op.completed, default=None)
    if end is None or not isinstance(end.what, Seen):
        return None
    canceled = acknowledged(job)
    for look in job.looks:
        seen = look.what
        if not isinstance(seen, Seen) or look.terminal or seen.attempt <= end.what.attempt:
            continue
        # A look from after the end breaks the rule about terminal states, or that about cancels.
        if not end.before(look) and (canceled is None or not contradicts(canceled, look)):
            text = f"ended with attempt {end.what.attempt}, and had attempt {seen.attempt}"
            return Finding(job.id, text, (end.op, look.op))
    return None


def _uncaused(job: Job) -> Finding | None:
    """Return the first look that shows a cancel that nobody can have asked for by then."""
    first = job.cancels[0].invoked if job.cancels else None
    for look in job.looks:
        canceled = look.state == "CANCELED" or (
            isinstance(look.what, Seen) and look.what.cancel_requested
        )
        if canceled and (first is None or first > look.op.completed):
            return Finding(job.id, "is canceled, and nobody had asked for that", (look.op,))
    return None


RULE = Rule(
    "steps", "States, attempts and times move as the lifecycle table says, never back", _find
)
