"""What sides say of themselves, as the terminal, the page and comparison.json show it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.runs.compare.report import facts, rebuild
from tests.support.experiments import Experiment, plan
from tests.unit.report.pages import Page, read

PLAIN = {"totals": {"slots": 12.0}, "values": {"lease": "6", "store": "memory"}}
SLOWER = {"totals": {"slots": 12.0}, "values": {"lease": "10", "store": "memory"}}
DECLARED = ({}, {"lease": "option lease=10"})


@dataclass
class Result:
    """What is written of an experiment, and what the terminal shows of its facts."""

    page: Page
    lines: list[str]
    data: dict[str, Any]

    def section(self) -> str:
        return self.page.source.partition('<section id="facts">')[2].partition("</section>")[0]

    def row(self, name: str) -> list[str]:
        """The cells of a fact in the section of the page."""
        found = re.search(rf'<th scope="row">{name}</th>(.*?)</tr>', self.section())
        return re.findall("<td>(.*?)</td>", found[1]) if found else []


Make = Callable[..., Result]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(**changes: Any) -> Result:
        folder = Experiment(**{"blocks": 2, "seconds": 4, **changes}).write(tmp_path / "a" / "1")
        rebuilt = rebuild.write(folder)
        assert rebuilt.page is not None
        return Result(
            read(rebuilt.page),
            list(facts.lines(rebuilt.comparison, rebuilt.recorded.plan)),
            json.loads((folder / "comparison.json").read_text()),
        )

    return made


def test_of_sides_that_are_all_equal_only_the_number_of_facts_is_said(make: Make) -> None:
    result = make(fairness=(PLAIN, PLAIN))
    assert result.lines == ["All facts equal: 3 facts."]
    assert re.sub("<[^>]*>", " ", result.section()).split() == (
        ["What", "the", "sides", "say", "of", "themselves", "All", "facts", "equal:", "3", "facts."]
    )
    assert {each["status"] for each in result.data["cells"][0]["facts"]} == {"equal"}


def test_declared_difference_is_listed_with_both_values_and_what_declares_it(make: Make) -> None:
    result = make(fairness=(PLAIN, SLOWER), declared=DECLARED)
    assert result.lines == [
        "Differs as declared: lease 6 → 10 (option lease).",
        "All other facts equal: 2 facts.",
    ]
    assert result.row("lease") == ["6", "10", "option lease"]
    assert result.data["cells"][0]["facts"][0] == {
        "name": "lease",
        "status": "declared",
        "values": ["6", "10"],
        "declared_by": ["option lease"],
    }


def test_fact_that_a_side_does_not_say_is_listed_as_unknown(make: Make) -> None:
    result = make(fairness=(PLAIN, {"totals": {"slots": 12.0}}))
    assert result.lines == ["Unknown of B: lease, store.", "All other facts equal: 1 fact."]
    assert result.row("store") == ["memory", "–"]
    assert result.row("slots") == []


def test_of_many_unknown_facts_the_page_has_all_and_the_terminal_some(make: Make) -> None:
    many = {"values": {f"fact_{number:02d}": "x" for number in range(20)}}
    result = make(fairness=(many, {}))
    assert result.lines == [
        "Unknown of B: fact_00, fact_01, fact_02, fact_03, fact_04, fact_05 and 14 more."
    ]
    assert result.row("fact_19") == ["x", "–"]


def test_difference_that_the_plan_allows_is_the_plan_s(make: Make) -> None:
    result = make(fairness=(PLAIN, SLOWER), plan=plan(declared=["lease"]))
    assert result.row("lease") == ["6", "10", "the plan"]


def test_difference_that_nothing_declares_is_not_passed_over(make: Make) -> None:
    result = make(fairness=(PLAIN, SLOWER))
    assert result.lines[0] == "Differs although nothing declares it: lease 6 → 10."
    assert result.row("lease") == ["6", "10"]


def test_cells_with_the_same_facts_share_their_lines(make: Make) -> None:
    cells = ({"users": 5}, {"users": 20})
    result = make(cells=cells, fairness=(PLAIN, SLOWER), declared=DECLARED)
    assert result.lines[-1] == "All other facts equal: 2 facts."
    assert len(result.lines) == 2


def test_recording_from_before_there_were_facts_has_none(make: Make) -> None:
    result = make()
    assert result.lines == []
    assert "The trials have no record of any fact." in result.section()
    assert result.data["cells"][0]["facts"] == []
