"""What Prometheus is configured with: valid, generated from the topologies, and its alerts true."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from testbed.stack.observability import __main__ as generated
from testbed.stack.observability import scrape
from tests.support import prometheus
from tests.support.stacks import ROOT, TOPOLOGIES

CONFIGURATION = ROOT / "compose" / "prometheus"
TESTS = Path(__file__).with_name("alerts_test.yml")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus.provide(tmp_path, monkeypatch)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.needs("prometheus")
@pytest.mark.usefixtures("programs")
def test_configuration_and_rules_are_valid() -> None:
    done = promtool("check", "config", str(CONFIGURATION / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"SUCCESS: \d+ rules found", done.stdout)) == 2, done.stdout


@pytest.mark.needs("prometheus")
@pytest.mark.usefixtures("programs")
def test_alerts_and_recordings_do_what_they_say() -> None:
    done = promtool("test", "rules", str(TESTS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tested() -> None:
    rules = "".join(path.read_text() for path in sorted((CONFIGURATION / "rules").glob("*.yml")))
    names = re.findall(r"- (?:alert|record): (\S+)", rules)
    tests = TESTS.read_text()
    assert len(names) > 10
    for name in names:
        fires = f"alertname: {name}\n" in tests
        assert fires or f"expr: {name}" in tests, f"no test has {name} come to something"


def test_committed_files_are_what_the_topologies_give() -> None:
    assert generated.stale() == []


def test_every_process_of_every_topology_is_scraped_at_its_port() -> None:
    text = (CONFIGURATION / "prometheus.yml").read_text()
    found = set(re.findall(r"names: \[(\S+)\]\n\s+type: A\n\s+port: (\d+)\n", text))
    wanted = {
        (f"{spec.name}.taskqueue-{design}", str(spec.metrics_port))
        for design, topology in TOPOLOGIES.items()
        for spec in topology.processes
    }
    assert len(wanted) == 12
    assert found == wanted | {(scrape.LOAD_NAME, str(scrape.LOAD_PORT))}


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    for path, text in generated.files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert generated.stale(tmp_path) == []

    changed, missing = sorted(generated.files())[:2]
    (tmp_path / changed).write_text("by hand")
    (tmp_path / missing).unlink()
    extra = generated.DASHBOARDS / "by-hand.json"
    (tmp_path / extra).write_text("{}")

    assert generated.stale(tmp_path) == sorted([changed, missing, extra])
