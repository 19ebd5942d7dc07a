"""Where nothing was disturbed no job is run again."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import Seen


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        for observation in job.observations:
            if isinstance(observation.what, Seen) and observation.what.attempt > 1:
                accepted = () if job.accepted is None else (job.accepted,)
                text = f"has attempt {observation.what.attempt}, and nothing was disturbed"
                yield Finding(job.id, text, (*accepted, observation.op))
                break


RULE = Rule("calm-once", "Without faults every job that starts is executed once", _find, calm=True)
