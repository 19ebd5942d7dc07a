"""The locustfile of one's own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from testbed.record.history.model import History
from tests.examples.conftest import EXAMPLES, drive
from tests.support.targets import Targets

LOCUSTFILE = str(EXAMPLES / "my_traffic" / "locustfile.py")


def calls_of(history: History) -> Counter[str]:
    return Counter(each.call for each in history.operations)


@pytest.mark.parametrize(
    "options", [(), ("--rate", "150", "--arrivals", "even")], ids=["closed", "open"]
)
def test_impatient_users_submit_follow_and_cancel_their_jobs(
    targets: Targets, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (endpoint,) = targets.get("inprocess").endpoints
    enough = {"SubmitJob", "GetJobStatus", "GetJobResult", "CancelJob"}
    # Jobs of very different length: of some the users see the end, others they cancel.
    jobs = ("--kind", "sleep", "--job-ms", "800", "--job-jitter", "1")

    history = drive(
        tmp_path,
        LOCUSTFILE,
        endpoint,
        lambda lines: all(f'"call":"{call}"' in lines for call in enough),
        *jobs,
        *options,
    )

    assert calls_of(history).keys() == enough
    recorded = json.loads((tmp_path / "record" / "load.json").read_text())
    assert recorded["loop"] == ("open" if options else "closed")
