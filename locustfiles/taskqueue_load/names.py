"""The names under which calls are counted."""

from __future__ import annotations

SUBMIT = "SubmitJob"
STATUS = "GetJobStatus"
RESULT = "GetJobResult"
CANCEL = "CancelJob"
LIST = "ListJobs"
RESULT_NOT_FINISHED = "GetJobResult (not finished)"
CANCEL_ALREADY_FINISHED = "CancelJob (already finished)"
EXPECTED = frozenset({RESULT_NOT_FINISHED, CANCEL_ALREADY_FINISHED})
"""Names under which answers are counted that give no result and are no failure."""
