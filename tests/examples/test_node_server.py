"""The server in another language: driven by Locust, judged by the checker, held to the contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.conftest import NODE_SERVER, drive
from tests.support.contract import assert_contract_holds
from tests.support.stacks import ROOT

pytestmark = pytest.mark.needs("node")


def test_its_history_under_load_has_no_violation(node_server: str, tmp_path: Path) -> None:
    history = drive(
        *(tmp_path, "locustfiles/checked.py", node_server),
        lambda lines: lines.count('"ok"') > 200,
        *("--kind", "sleep", "--job-ms", "20"),
    )
    folder = str(tmp_path / "history")
    audit = (str(NODE_SERVER / "audit.py"), node_server, str(tmp_path / "record"), folder)
    looked_up = subprocess.check_output([sys.executable, *audit], cwd=ROOT, text=True)
    assert looked_up.startswith("looked up ")

    check = [sys.executable, "-m", "testbed", "check", folder]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "Nothing is wrong." in done.stdout
    assert "fate" not in done.stdout, "every accepted job was looked up"
    assert any(each.call == "SubmitJob" for each in history.operations)


@pytest.mark.slow
def test_it_keeps_the_contract(node_server: str) -> None:
    assert_contract_holds([node_server], slots=12)
