"""Nothing is left that never ends, accepted or not."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.fates import Fate, ending_of
from testbed.check.index import Index
from testbed.check.verdict import Finding, Rule


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        if job.submits:
            continue  # one that was accepted is lost, and that rule says so
        ending = ending_of(job)
        if ending.fate is Fate.UNFINISHED and ending.observation is not None:
            yield Finding(job.id, ending.text, (ending.observation.op,))


RULE = Rule("unfinished", "Every job that is there ends, also one that nobody was promised", _find)
