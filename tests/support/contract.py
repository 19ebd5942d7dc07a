"""The contract suite against a running stack, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tests.support.stacks import ROOT


def assert_contract_holds(endpoints: Sequence[str], slots: int) -> None:
    """Run ``pytest tests/contract --target`` and fail the test with its output if it fails."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract"),
            *("--target", ",".join(endpoints), "--slots", str(slots)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
