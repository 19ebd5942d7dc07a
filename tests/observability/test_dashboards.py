"""The conventions of the dashboards, checked on the committed files."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from tests.support import dashboards
from tests.support.stacks import TOPOLOGIES

ALL = dashboards.read()
# Units that are in use; a new one is a decision, a misspelt one would be shown as it is.
UNITS = {
    *("short", "s", "bytes", "percentunit", "reqps", "ops"),
    *("suffix: jobs/s", "suffix: cores"),
}

each_dashboard = pytest.mark.parametrize("dashboard", ALL.values(), ids=ALL)


def test_there_are_the_dashboards_that_are_promised() -> None:
    assert ALL.keys() == {
        "overview",
        "stores",
        "load",
        *(f"inside-{design}" for design in TOPOLOGIES),
    }


def test_names_in_links_are_unique() -> None:
    uids = [dashboard["uid"] for dashboard in ALL.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z-]{1,40}", uid) for uid in uids)


@each_dashboard
def test_every_panel_has_a_unit_a_description_and_the_chosen_data_source(
    dashboard: dict[str, Any],
) -> None:
    assert dashboard["description"].endswith(".")
    for panel in dashboards.panels(dashboard):
        title = panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, title
        assert panel["description"].endswith("."), title
        assert panel["targets"], title
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        assert all(target["legendFormat"] for target in panel["targets"]), title


@each_dashboard
def test_rates_follow_the_zoom_or_are_recorded(dashboard: dict[str, Any]) -> None:
    for panel in dashboards.panels(dashboard):
        for target in panel["targets"]:
            windows = re.findall(r"\[(.*?)\]", target["expr"])
            assert set(windows) <= {"$__rate_interval"}, panel["title"]
            assert ("rate(" in target["expr"]) == bool(windows), panel["title"]


@each_dashboard
def test_panels_have_ids_and_places_of_their_own(dashboard: dict[str, Any]) -> None:
    every = dashboard["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    titles = [panel["title"] for panel in dashboards.panels(dashboard)]
    assert len(set(titles)) == len(titles)
    for panel in every:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    for one, other in itertools.combinations(every, 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


@each_dashboard
def test_the_choices_are_a_data_source_and_what_the_dashboard_is_about(
    dashboard: dict[str, Any],
) -> None:
    datasource, *others = dashboard["templating"]["list"]
    assert datasource["type"] == "datasource"
    assert [each["name"] for each in others] in (["design"], ["process"])
    asked = " ".join(expr for _, expr in _expressions(dashboard))
    assert all(f"${each['name']}" in asked for each in others)


@each_dashboard
def test_drives_and_starts_of_stacks_are_marked(dashboard: dict[str, Any]) -> None:
    assert [each["name"] for each in dashboard["annotations"]["list"]] == ["Drives", "Stacks"]


@pytest.mark.parametrize("design", TOPOLOGIES)
def test_the_inside_shows_every_hop_of_the_topology(design: str) -> None:
    titles = " ".join(panel["title"] for panel in dashboards.panels(ALL[f"inside-{design}"]))
    pairs = {
        (spec.name.partition("-")[0], peer.partition("-")[0])
        for spec in TOPOLOGIES[design].processes
        for peer in spec.peers
    }
    assert pairs
    for caller, peer in pairs:
        assert f"{caller} → {peer}: calls" in titles


def test_every_query_can_be_filled_in() -> None:
    assert all(len(list(dashboards.queries(dashboard))) > 5 for dashboard in ALL.values())


def _expressions(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (panel["title"], target["expr"])
        for panel in dashboards.panels(dashboard)
        for target in panel["targets"]
    ]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
