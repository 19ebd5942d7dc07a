"""States and attempts move as the lifecycle table says, and never back."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.observations import TERMINAL, Observation, Sign
from testbed.check.rules._canceled import acknowledged, contradicts
from testbed.check.rules._record import wrong_by_itself
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import Operation, Seen, Submitted


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if job.observations:
            finding = (
                _alone(job)
                or _together(job)
                or _backwards(job)
                or _answered_again(job)
                or _uncaused(job)
            )
            if finding is not None:
                yield finding


def _alone(job: JobHistory) -> Finding | None:
    """Return the first observation that no job can show."""
    for observation in job.observations:
        if problem := wrong_by_itself(job.id, observation):
            return Finding(job.id, problem, (observation.op,))
    return None


def _together(job: JobHistory) -> Finding | None:
    """Compare what is the same in all observations, or in all of an attempt, in any order."""
    whole: tuple[Observation, Seen] | None = None
    attempts: dict[int, tuple[Observation, Seen]] = {}
    for observation in job.observations:
        seen = observation.what
        if not isinstance(seen, Seen):
            continue
        if whole is None:
            whole = observation, seen
            if finding := _not_submitted(job, observation, seen):
                return finding
        elif seen.kind != whole[1].kind or seen.create_us != whole[1].create_us:
            text = "has another kind or time of creation in two answers"
            return Finding(job.id, text, (whole[0].op, observation.op))
        if seen.attempt:
            other, there = attempts.setdefault(seen.attempt, (observation, seen))
            if seen.worker != there.worker or seen.start_us != there.start_us:
                text = f"has two workers or two starts of attempt {seen.attempt}"
                return Finding(job.id, text, (other.op, observation.op))
    return None


def _not_submitted(job: JobHistory, observation: Observation, seen: Seen) -> Finding | None:
    for submit in job.submits:
        if isinstance(submit.asked, Submitted) and submit.asked.kind != seen.kind:
            text = f"was submitted as {submit.asked.kind}, and is {seen.kind}"
            return Finding(job.id, text, (submit, observation.op))
    return None


def _backwards(job: JobHistory) -> Finding | None:
    """Follow the observations in real time: none may show less than one answered before."""
    if len(job.observations) == 1:
        return None
    known = _Known(job)
    for number in job.order:
        if number < 0:
            known.take(job.observations[~number])
        elif found := known.against(job.observations[number]):
            before, text = found
            return Finding(job.id, text, (*before, job.observations[number].op))
    return _beyond_the_end(job)


class _Known:
    """What the observations that were answered so far show at least.

    Terminal observations are left out: what may follow them is a rule of its own.
    """

    def __init__(self, job: JobHistory) -> None:
        self._job = job
        self._running: Observation | None = None
        self._highest: Observation | None = None
        self._attempt = 0
        self._canceling: Observation | None = None
        self._sight: Observation | None = None
        self._vanished: tuple[Operation, Operation] | None = None

    def take(self, observation: Observation) -> None:
        """Take in an answer."""
        seen = observation.what
        if seen is Sign.NOT_FOUND:
            if shown := self._shown_before(observation):
                self._vanished = self._vanished or (shown, observation.op)
            return
        self._sight = self._sight or observation
        if not isinstance(seen, Seen) or seen.state in TERMINAL:
            return
        if seen.state == "RUNNING":
            self._running = self._running or observation
        if seen.attempt > self._attempt:
            self._attempt, self._highest = seen.attempt, observation
        if seen.cancel_requested:
            self._canceling = self._canceling or observation

    def _shown_before(self, absent: Observation) -> Operation | None:
        """Return an answer from before that shows the job, if no other rule has it stay."""
        sight, accepted = self._sight, self._job.accepted
        if self._job.may_have_expired(absent):
            if accepted is not None and accepted.completed < absent.op.invoked:
                return accepted
        elif _owed(self._job, absent):
            return None
        return sight.op if sight is not None and sight.before(absent) else None

    def against(self, observation: Observation) -> tuple[tuple[Operation, ...], str] | None:
        """Return what contradicts an observation that was asked for now, and how."""
        seen = observation.what
        if seen is Sign.NOT_FOUND:
            return None
        if self._vanished is not None:
            return self._vanished, "was there, was not, and is there again"
        if not isinstance(seen, Seen):
            return None
        if self._running is not None and seen.state == "QUEUED":
            return (self._running.op,), "was RUNNING, and later QUEUED"
        if self._highest is not None and seen.attempt < self._attempt:
            text = f"had attempt {self._attempt}, and later {seen.attempt}"
            return (self._highest.op,), text
        if self._canceling is not None and not seen.cancel_requested:
            return (self._canceling.op,), "had a cancel requested, and later not"
        return None


def _answered_again(job: JobHistory) -> Finding | None:
    """Return a submit that was answered with the job when that had been forgotten."""
    accepted = job.accepted
    if accepted is None or len(job.submits) == 1:
        return None
    for absent in filter(job.may_have_expired, job.observations):
        for submit in job.submits:
            if accepted.completed < absent.op.invoked and absent.op.completed < submit.invoked:
                text = "was forgotten, and a later submit was answered with it"
                return Finding(job.id, text, (accepted, absent.op, submit))
    return None


def _owed(job: JobHistory, observation: Observation) -> bool:
    """Say whether other rules forbid that the job is not found by then."""
    accepted, terminal = job.accepted, job.first_terminal
    return (accepted is not None and accepted.completed < observation.op.invoked) or (
        terminal is not None and terminal.before(observation)
    )


def _beyond_the_end(job: JobHistory) -> Finding | None:
    """Find an attempt above that of the terminal record, which is the last there is."""
    ends = (each for each in job.observations if each.terminal and isinstance(each.what, Seen))
    end = min(ends, key=lambda each: each.op.completed, default=None)
    if end is None or not isinstance(end.what, Seen):
        return None
    canceled = acknowledged(job)
    for observation in job.observations:
        seen = observation.what
        if not isinstance(seen, Seen) or observation.terminal or seen.attempt <= end.what.attempt:
            continue
        # An observation from after the end breaks the rule about terminal states, or that about
        # cancels.
        if not end.before(observation) and (
            canceled is None or not contradicts(canceled, observation)
        ):
            text = f"ended with attempt {end.what.attempt}, and had attempt {seen.attempt}"
            return Finding(job.id, text, (end.op, observation.op))
    return None


def _uncaused(job: JobHistory) -> Finding | None:
    """Return the first observation that shows a cancel that nobody can have asked for by then."""
    first = job.cancels[0].invoked if job.cancels else None
    for observation in job.observations:
        canceled = observation.state == "CANCELED" or (
            isinstance(observation.what, Seen) and observation.what.cancel_requested
        )
        if canceled and (first is None or first > observation.op.completed):
            return Finding(job.id, "is canceled, and nobody had asked for that", (observation.op,))
    return None


RULE = Rule(
    "steps", "States, attempts and times move as the lifecycle table says, never back", _find
)
