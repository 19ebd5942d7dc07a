"""Applies all rules to a history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from testbed.check import rules
from testbed.check.fates import Fate, ending_of
from testbed.check.index import Index, JobHistory
from testbed.check.origins import trace
from testbed.check.slices import slice_of
from testbed.check.verdict import Finding, Rule, Verdict, Violation
from testbed.record.history.files import collector_paused
from testbed.record.history.model import CallOutcome, History

DETAILED = 20
"""How many violations of each rule are described in detail."""

OnProgress = Callable[[str], None]


def check(
    history: History,
    on_progress: OnProgress = lambda _text: None,
    detailed: int = DETAILED,
    calm: bool = False,
) -> Verdict:
    """Judge a history; takes time linear in its length.

    ``on_progress`` is called with what is being done. At most ``detailed`` violations of each rule
    are in the verdict, and all are counted. ``calm`` says that nothing disturbed the system, so
    that it has to keep the promises too that faults excuse; raises ``ValueError`` if the history
    has faults.
    """
    if calm and history.faults:
        raise ValueError(f"the history has {len(history.faults)} faults, so it is not calm")
    with collector_paused():
        total = len(history.operations)
        index = Index(history, lambda done: on_progress(f"{done:,} of {total:,} operations"))
        found: dict[str, int] = {}
        violations: list[Violation] = []
        for rule in rules.load():
            if rule.calm and not calm:
                continue
            on_progress(rule.name)
            number = 0
            for number, finding in enumerate(rule.find(index), 1):
                if number <= detailed:
                    violations.append(_violation(rule, finding, history))
            found[rule.name] = number
        return Verdict(tuple(violations), found, _counts(index, found))


def _violation(rule: Rule, finding: Finding, history: History) -> Violation:
    slice_ = slice_of(finding.operations, history.faults)
    return Violation(rule.name, finding.subject, finding.text, slice_)


def _ended_unseen(job: JobHistory) -> bool:
    """Whether a job was forgotten before any answer showed how it ended."""
    if ending_of(job).fate is not Fate.EXPIRED:
        return False
    return not any(each.terminal for each in (*job.observations, *job.late))


def _counts(index: Index, found: Mapping[str, int]) -> dict[str, int]:
    accepted = [job for job in index.jobs.values() if job.submits]
    fates = Counter(ending_of(job).fate for job in accepted)
    origins = trace(index)
    operations = index.history.operations
    return {
        "operations": len(operations),
        "indefinite": sum(each.outcome is CallOutcome.INDEFINITE for each in operations),
        "faults": len(index.history.faults),
        "accepted": len(accepted),
        "recovered": len(origins.recovered),
        "lost": found["lost"],
        "unexpected": found["unexpected"],
        "duplicated": found["duplicated"],
        "unfinished": found["unfinished"],
        "lost_with_state": fates[Fate.LOST_WITH_STATE],
        "expired": fates[Fate.EXPIRED],
        "expired_unseen": sum(_ended_unseen(job) for job in accepted),
        "not_looked_up": fates[Fate.NOT_LOOKED_UP],
    }
