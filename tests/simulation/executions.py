"""What the workers of a simulation really ran, and whether that is what the clients were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from common.domain.job import Assignment, Outcome
from testbed.check.observations import TERMINAL
from testbed.record.history.messages import DIGITS, digest
from testbed.record.history.model import History, Operation, Result, Seen, Submitted


class Executions:
    """Every run of every job: which job it was given, and how it ended."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        """How often each job was begun."""
        self._specs: dict[str, set[str]] = {}
        self._ends: dict[str, list[tuple[int, str, str]]] = {}

    def began(self, assignment: Assignment) -> int:
        """Note that a job begins, and return which run of all this is."""
        job_id = assignment.execution.job_id
        self.runs[job_id] += 1
        self._specs.setdefault(job_id, set()).add(assignment.spec.digest().hex()[:DIGITS])
        return self.runs.total()

    def ended(self, assignment: Assignment, outcome: Outcome) -> None:
        """Note how a run ended that was not stopped: its state, and its output or failure."""
        failure = outcome.failure
        text = digest(outcome.output) if failure is None else f"{failure.reason}: {failure.message}"
        job_id, attempt = assignment.execution
        self._ends.setdefault(job_id, []).append((attempt, outcome.state.name, text))

    def contradictions(self, history: History) -> Iterator[str]:
        """Iterate over what clients were shown of a job that none of its runs can have given.

        The result of a job is that of the attempt that its record names, by any client at any
        time, and what was run is what was submitted.
        """
        attempts = _attempts(history)
        for operation in history.operations:
            shown = operation.answer
            if isinstance(operation.asked, Submitted) and isinstance(shown, str):
                yield from self._of_submit(operation.asked, shown)
            elif isinstance(shown, Result | Seen):
                yield from self._of_end(operation, shown, attempts)

    def _of_submit(self, submitted: Submitted, job_id: str) -> Iterator[str]:
        if self._specs.get(job_id, {submitted.digest}) != {submitted.digest}:
            yield f"{job_id} was run as another job than was submitted"

    def _of_end(
        self, operation: Operation, shown: Result | Seen, attempts: dict[str, int]
    ) -> Iterator[str]:
        job_id = operation.asked
        assert isinstance(job_id, str)
        if shown.state not in {"DONE", "FAILED"}:
            return
        text = shown.failure
        if shown.state == "DONE":
            if isinstance(shown, Seen):
                return
            text = shown.digest
        attempt = shown.attempt if isinstance(shown, Seen) else attempts.get(job_id)
        given = {
            (state, its_text)
            for its_attempt, state, its_text in self._ends.get(job_id, ())
            if attempt in (None, its_attempt)
        }
        if (shown.state, text) not in given:
            yield f"{job_id}: {shown.state} {text} came of no run of its attempt {attempt}"


def _attempts(history: History) -> dict[str, int]:
    """Return under which attempt each job ended, by the first record that shows it."""
    found: dict[str, int] = {}
    for operation in history.operations:
        seen = operation.answer
        if isinstance(seen, Seen) and seen.state in TERMINAL:
            found.setdefault(seen.job_id, seen.attempt)
    return found
