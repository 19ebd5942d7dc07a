"""An environment that names proxies: what vouches for a stack and what uses it agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from testbed.drive.audit import audit
from testbed.stack import records as stacks
from testbed.stack import runtimes
from testbed.stack.runtimes.links import Links
from tests.support.stacks import ROOT, SLOTS, TOPOLOGIES, shifted

pytestmark = pytest.mark.slow

# Nobody listens there.
PROXY = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")


def test_a_stack_its_links_and_its_clients_work_though_the_environment_names_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, PROXY)
        monkeypatch.setenv(name.upper(), PROXY)
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    runtime = runtimes.get("local")
    spec = StackSpec(SLOTS, links=True)
    try:
        record = runtime.up(shifted(TOPOLOGIES["a"]), spec, runtimes.silent)
        run = ("--headless", "-u", "3", "-r", "3", "-t", "2s", "--record", str(tmp_path / "load"))
        _python("locust", "-f", "locustfiles/mixed.py", *run)
        (ids,) = (tmp_path / "load").glob("accepted-*.txt")
        accepted = audit(record.endpoints, ids.read_text().split(), 30)
        assert "DONE" in {row.state for row in accepted} <= {"DONE", "CANCELED"}
        task = {"endpoints": record.endpoints, "callers": 2, "jobs": 4}
        bench = json.loads(_python("testbed.runs.bench.client", json.dumps(task)))
        assert (bench["finished"], bench["errors"]) == (4, {})
        assert {link.caller for link in Links.of(record).all()} > {"gateway", "worker"}
    finally:
        runtime.down("a", runtimes.silent)


def _python(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
