"""The output of a job is what its payload gives."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.index import Index, JobHistory
from testbed.check.verdict import Finding, Rule
from testbed.record.history.model import Operation, Result, Submitted


def _find(index: Index) -> Iterator[Finding]:
    for job in index.jobs.values():
        submit, output = _wanted(job)
        if submit is None:
            continue
        for observation in job.observations:
            what = observation.what
            if isinstance(what, Result) and what.state == "DONE" and what.digest != output:
                text = f"has the output {what.digest}, and its payload gives {output}"
                yield Finding(job.id, text, (submit, observation.op))
                break


def _wanted(job: JobHistory) -> tuple[Operation | None, str]:
    """Return the submit that says what the output has to be, if all that made the job agree."""
    outputs = {
        submit.asked.output: submit
        for submit in reversed(job.submits)
        if isinstance(submit.asked, Submitted)
    }
    if len(outputs) != 1:
        return None, ""
    ((output, submit),) = outputs.items()
    return (submit, output) if output else (None, "")


RULE = Rule("right-output", "The output of a DONE job is what its own payload gives", _find)
