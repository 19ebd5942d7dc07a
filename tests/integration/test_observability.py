"""The real Prometheus over both designs under traffic: every panel and every recording has data."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from common.stack_spec import StackSpec
from testbed.stack import prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord
from tests.support import dashboards
from tests.support import prometheus as programs
from tests.support.stacks import ROOT, SLOTS, TOPOLOGIES, free_port, shifted
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]

# Panels that cannot have data here, and why. They are executed all the same.
WITHOUT_DATA = {
    ("overview", "CPU of the budget / A"): "accounting of a container",
    ("overview", "Throttled periods / A"): "accounting of a container",
    ("overview", "Memory of the budget / A"): "accounting of a container",
    ("load", "Failures / A"): "calls that fail, and none does",
}
# A closed loop and an open one, as send delays are of an open one alone.
TRAFFIC = {"a": ("--users", "6"), "b": ("--users", "2", "--rate", "40")}
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def observed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessRecord]:
    """Both designs as local processes, watched by a Prometheus, each driven by a Locust."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    programs.provide(tmp_path, monkeypatch)
    runtime = runtimes.get()
    with ExitStack() as exits:
        exits.callback(prometheus.stop)
        record = prometheus.start(free_port())
        for design, topology in TOPOLOGIES.items():
            exits.callback(runtime.down, design, runtimes.silent)
            runtime.up(shifted(topology), StackSpec(SLOTS), runtimes.silent)
            exits.enter_context(_driven(design, tmp_path))
        yield record


def test_every_panel_and_every_recording_has_data_under_traffic(observed: ProcessRecord) -> None:
    ask = _asker(observed)
    wanted = {
        (name, use): expr
        for name, dashboard in dashboards.read().items()
        for use, expr in dashboards.queries(dashboard)
    }
    assert wanted.keys() >= WITHOUT_DATA.keys(), "a panel is excused that is not there"
    rules = _rules(observed)
    wanted |= {("recording", each["name"]): each["name"] for each in rules["recording"]}
    assert len(rules["alerting"]) > 5
    missing = dict(wanted)

    def without_data() -> dict[tuple[str, str], str]:
        for key, expr in list(missing.items()):
            if _has_value(ask(expr)):
                del missing[key]
        return {key: expr for key, expr in missing.items() if key not in WITHOUT_DATA}

    eventually(without_data, until=lambda found: not found, within=180, what="data in all queries")
    assert missing.keys() == WITHOUT_DATA.keys(), "a panel is excused and has data"
    assert {each["health"] for kind in _rules(observed).values() for each in kind} == {"ok"}


def test_every_process_is_found_with_its_labels_and_forgotten_when_its_stack_goes(
    observed: ProcessRecord,
) -> None:
    ask = _asker(observed)
    processes = {
        (design, spec.name) for design in TOPOLOGIES for spec in TOPOLOGIES[design].processes
    }

    def found() -> set[tuple[str, str]]:
        return {_whose(each) for each in ask('up{job="taskqueue"} == 1')}

    eventually(found, until=lambda seen: seen == processes, within=60, what="every process up")
    roles = {each["metric"]["role"] for each in ask('up{job="taskqueue"}')}
    assert roles == {"gateway", "job", "queue", "coordinator", "worker", "result", "node"}
    eventually(lambda: len(ask('up{job="load"} == 1')) == 2, within=60, what="both loads")

    runtimes.get().down("b", runtimes.silent)
    eventually(
        lambda: {_whose(each)[0] for each in ask('up{job="taskqueue"}')},
        until=lambda seen: seen == {"a"},
        within=60,
        what="the end of what is read of b",
    )


def test_a_second_start_finds_the_first_and_stop_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    programs.provide(tmp_path, monkeypatch)
    try:
        record = prometheus.start(free_port())
        assert prometheus.start(free_port()) == record
        assert prometheus.find() == record
    finally:
        assert prometheus.stop()
    assert prometheus.find() is None
    assert not record.is_alive()
    assert not prometheus.stop()


class _driven:  # noqa: N801  # used like a function
    """Drives a design as long as the block lasts."""

    def __init__(self, design: str, folder: Path) -> None:
        self._log = (folder / f"locust-{design}.log").open("w", encoding="utf-8")
        self._command = [
            *(sys.executable, "-m", "locust", "-f", "locustfiles/mixed.py"),
            *("--headless", "--only-summary", "--run-time", "20m", "--design", design),
            *("--kind", "sleep", "--job-ms", "30", *TRAFFIC[design]),
            *("--metrics-port", str(free_port())),
        ]

    def __enter__(self) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOAD_", "LOCUST_"))}
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=clean, stdout=self._log, stderr=subprocess.STDOUT
        )

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


def _asker(record: ProcessRecord) -> Ask:
    def ask(expr: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"query": expr})
        answer = _get(record, f"query?{query}")
        found: list[dict[str, Any]] = answer["result"]
        return found

    return ask


def _rules(record: ProcessRecord) -> dict[str, list[dict[str, Any]]]:
    rules = [rule for group in _get(record, "rules")["groups"] for rule in group["rules"]]
    return {
        kind: [rule for rule in rules if rule["type"] == kind] for kind in ("recording", "alerting")
    }


def _get(record: ProcessRecord, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{prometheus.url(record)}/api/v1/{path}", timeout=30) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def _has_value(result: list[dict[str, Any]]) -> bool:
    return any(math.isfinite(float(each["value"][1])) for each in result)


def _whose(series: dict[str, Any]) -> tuple[str, str]:
    labels = series["metric"]
    return labels["design"], labels["process"]
