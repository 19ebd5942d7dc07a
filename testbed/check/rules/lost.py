"""No accepted job is lost."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.fates import Fate, ending_of
from testbed.check.index import Index
from testbed.check.verdict import Finding, Rule


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        ending = ending_of(job)
        if ending.fate is Fate.LOST and ending.observation is not None:
            accepted = () if job.accepted is None else (job.accepted,)
            yield Finding(job.id, ending.text, (*accepted, ending.observation.op))


RULE = Rule("lost", "An accepted job is found ever after, ends, and keeps its output", _find)
