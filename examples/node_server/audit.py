"""Look up every job of a drive, so that a check of its history shows whether one was lost.

python examples/node_server/audit.py HOST:PORT RECORD_FOLDER HISTORY_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from testbed.record.history.writer import HistoryWriter
from testbed.runs.faults.recorded_audit import recorded_audit

# The longest that jobs may take to end.
SECONDS = 30.0


def audit(endpoints: str, record: Path, history: Path) -> str:
    """Write the calls of the audit to the history; return in words what was found."""
    accepted = [
        job_id
        for file in sorted(record.glob("accepted-*.txt"))
        for job_id in file.read_text().split()
    ]
    writer = HistoryWriter(history / "history-audit.jsonl")
    found = recorded_audit(endpoints.split(","), accepted, SECONDS, writer)
    return found.problem or f"looked up {len(found.jobs)} jobs"


if __name__ == "__main__":
    sys.stdout.write(audit(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])) + "\n")
