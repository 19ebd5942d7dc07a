"""A short fault run of both designs, from the command to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import check as checker
from testbed.record.history import files
from testbed.record.history.model import CallOutcome, Submitted
from tests.support.stacks import ROOT

pytestmark = pytest.mark.slow


def _testbed(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testbed", *arguments],
        cwd=ROOT,
        env={**os.environ, "TESTBED_HOME": str(home), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize("design", ["a", "b"])
def test_nothing_is_lost_in_a_short_run_of_random_faults(home: Path, design: str) -> None:
    done = _testbed(home, "faults", "short", design)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the checker found no violation" in done.stdout
    (folder,) = (home / "results" / "faults-short").iterdir()
    (trial,) = (folder / "trials").iterdir()
    history = files.read(trial)
    assert len(history.faults) == 9
    assert checker.check(history).counts["accepted"] > 500
    assert not [each for each in history.operations if each.reason == "QUEUE_FULL"]
    submits = [each.asked for each in history.operations if isinstance(each.asked, Submitted)]
    decided = [each for each in submits if each.kind == "sleep" and each.output]
    assert 0.3 < len(decided) / len(submits) < 0.7
    assert (folder / "report.html").read_text(encoding="utf-8").count("<svg") >= 1
    figures = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
    assert figures["trials"][0]["side"] == design
    alone = _testbed(home, "check", str(trial))
    assert alone.returncode == 0, alone.stdout


def test_a_run_that_loses_state_says_how_much_and_keeps_its_other_promises(home: Path) -> None:
    done = _testbed(
        home, "faults", "short", "b", "--set", "draw.parts=stateful", "--set", "draw.count=2",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (home / "results" / "faults-short").iterdir()
    (trial,) = (folder / "trials").iterdir()
    verdict = checker.check(files.read(trial))
    assert verdict.clean
    assert 0 < verdict.counts["lost_with_state"] < verdict.counts["accepted"]


@pytest.mark.needs("redis")
def test_no_call_fails_and_no_answer_is_stale_when_nodes_of_a_cache_are_lost(home: Path) -> None:
    done = _testbed(
        home, "faults", "short", "b+cache=2",
        "--set", "draw.count=4", "--set", "draw.kinds=kill,restart",
        "--set", "settings.retention=20", "--set", "kind=noop",
        "--set", "mix=submit=30,status=35,result=35",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (home / "results" / "faults-short").iterdir()
    (trial,) = (folder / "trials").iterdir()
    history = files.read(trial)
    hit = {target for each in history.faults for target in each.targets}
    assert hit <= {"cache-1", "cache-2"}
    assert len(history.faults) == 4
    assert checker.check(history).clean
    failed = [each for each in history.operations if each.outcome is CallOutcome.INDEFINITE]
    assert not failed
