"""The real Prometheus over both designs under traffic: every panel and every recording has data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from common.stack_spec import StackSpec
from testbed.stack import prometheus, runtimes
from testbed.stack import records as stacks
from testbed.stack.records import ProcessRecord
from tests.support import dashboards
from tests.support import prometheus as programs
from tests.support.observed import Asker, driven, rules_of, whose
from tests.support.ports import free_port
from tests.support.stacks import SLOTS, TOPOLOGIES, shifted
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
            exits.enter_context(driven(design, tmp_path, *TRAFFIC[design]))
        yield record


def test_every_panel_and_every_recording_has_data_under_traffic(observed: ProcessRecord) -> None:
    ask = Asker(observed)
    wanted = dashboards.all_queries(but=("stores",))
    assert wanted.keys() >= WITHOUT_DATA.keys(), "a panel is excused that is not there"
    rules = rules_of(observed)
    wanted |= {("recording", each["name"]): each["name"] for each in rules["recording"]}
    assert len(rules["alerting"]) > 5
    missing = ask.until_there_is_data(wanted, excused=WITHOUT_DATA)
    assert missing == WITHOUT_DATA.keys(), "a panel is excused and has data"
    assert {each["health"] for kind in rules_of(observed).values() for each in kind} == {"ok"}


def test_every_process_is_found_with_its_labels_and_forgotten_when_its_stack_goes(
    observed: ProcessRecord,
) -> None:
    ask = Asker(observed)
    processes = {
        (design, spec.name) for design in TOPOLOGIES for spec in TOPOLOGIES[design].processes
    }

    def found() -> set[tuple[str, str]]:
        return {whose(each) for each in ask('up{job="taskqueue"} == 1')}

    eventually(found, until=lambda seen: seen == processes, within=60, what="every process up")
    roles = {each["metric"]["role"] for each in ask('up{job="taskqueue"}')}
    assert roles == {"gateway", "job", "queue", "coordinator", "worker", "result", "node"}
    eventually(lambda: len(ask('up{job="load"} == 1')) == 2, within=60, what="both loads")

    runtimes.get().down("b", runtimes.silent)
    eventually(
        lambda: {whose(each)[0] for each in ask('up{job="taskqueue"}')},
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
