"""The metrics that matter most, and verdicts in two or three words."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.runs.compare.verdicts import Against
from testbed.stats import RatioOutcome

HEADLINES = (
    "requests_per_second",
    "jobs_per_second",
    "SubmitJob_p50_ms",
    "SubmitJob_p99_ms",
    "GetJobResult_p50_ms",
    "GetJobResult_p99_ms",
    "completion_p50_ms",
    "completion_p99_ms",
    "cpu_ms_per_job",
    "internal_calls_per_job",
    "peak_rss_mib",
)


def short(against: Against, labels: Sequence[str]) -> str:
    """Write a verdict in two or three words; nothing for a metric that is not judged."""
    match against.outcome:
        case RatioOutcome.REFERENCE_BETTER:
            return f"{labels[0]} better"
        case RatioOutcome.SIDE_BETTER:
            return f"{labels[against.side]} better"
        case RatioOutcome.NO_DIFFERENCE:
            return "no difference shown"
        case RatioOutcome.NOT_ENOUGH_DATA:
            return "not enough data"
        case _:
            return ""
