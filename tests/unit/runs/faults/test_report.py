from __future__ import annotations

import csv
import io
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from testbed.check import Violation
from testbed.runs.faults.figures import FaultFigures, analyse
from testbed.runs.faults.figures.groups import Spread
from testbed.runs.faults.figures.model import Availability, Downtime
from testbed.runs.faults.report import (
    FAULTS_CSV,
    FAULTS_JSON,
    state,
    terminal,
    write_files,
    written,
)
from testbed.runs.faults.report import section as html
from testbed.runs.faults.report.page import page
from testbed.runs.faults.report.run import labels, style
from tests.unit.report.pages import Page
from tests.unit.runs.faults.histories import Story, every, seen
from tests.unit.runs.faults.synthetic import SCHEDULE, Play, run, trials

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figures() -> list[FaultFigures]:
    """The figures of a quick run of both designs."""
    return [analyse(each) for each in trials()]


@pytest.fixture(scope="module")
def shown(figures: list[FaultFigures]) -> Page:
    """The page of it."""
    return Page(page(figures, run()))


def printed(figures: list[FaultFigures], brief: bool = False) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(terminal(figures, brief))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def broken() -> Story:
    """A small trial in which a job is found, and later is not."""
    story = Story()
    story.answered([0, 20])
    story.fault(10, 15, "kill", ["gateway"])
    story.accepted("j1", 2)
    story.call(16, asked="j1", code="NOT_FOUND", reason="JOB_NOT_FOUND", definite=True)
    calls = tuple(story.calls[-2:])
    text = "j1 was accepted, and later there was <no> such job"
    story.violations = [Violation("lost", "j1", text, (calls[0], story.faults[0], calls[1]))]
    story.counts = {"accepted": 1, "lost": 1, "lost_with_state": 0}
    story.job("j1", 2, 2.1, 2.2)
    return story


def test_page_loads_nothing_and_is_well_formed(shown: Page) -> None:
    assert not shown.tags & {"script", "link", "img", "iframe", "object", "embed", "video"}
    assert all(link.startswith("#") for link in shown.links)
    assert {link[1:] for link in shown.links} <= set(shown.ids)
    assert (shown.open, shown.wrong) == ([], [])
    assert len(shown.ids) == len(set(shown.ids))


def test_page_says_what_was_done_and_how_to_repeat_it(shown: Page) -> None:
    assert "Design A and Design B under faults" in shown.text
    assert "24 November 2026, 18:05 UTC" in shown.text
    assert "Seed 1 gives the same faults" in shown.text
    assert "git checkout 133be23" in shown.text
    assert "testbed faults quick" in shown.text
    assert "AMD EPYC" in shown.text


def test_timelines_mark_every_fault_with_its_name_and_whether_state_was_lost(shown: Page) -> None:
    pictures = [each for each in shown.pictures() if "faultline" in (each.get("class") or "")]
    assert len(pictures) == 2
    for picture, planned in zip(pictures, SCHEDULE.values(), strict=True):
        hints = [each.text or "" for each in picture.iter(f"{SVG}title")][1:]
        assert [hint.split(",")[0] for hint in hints] == [
            f"{each.kind} {each.target}" for each in planned
        ]
        bars = [each for each in picture.iter() if "fault-bar" in (each.get("class") or "")]
        lossy = ["lossy" in (each.get("class") or "") for each in bars]
        assert lossy == [each.loses for each in planned]
        names = [
            each.text for each in picture.iter(f"{SVG}text") if each.get("class") == "fault-name"
        ]
        assert names == [f"{n} {each.kind} {each.target}" for n, each in enumerate(planned, 1)]
        described = picture.find(f"{SVG}desc")
        assert described is not None
        assert f"1: {planned[0].kind} {planned[0].target} from 5 to 10 s" in (described.text or "")


def test_pictures_have_finite_places(shown: Page) -> None:
    for picture in shown.pictures():
        for part in picture.iter():
            for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2"):
                value = part.get(name)
                assert value is None or math.isfinite(float(value))
            assert "nan" not in (part.get("d") or "")


def test_many_faults_are_numbered_where_there_is_space() -> None:
    story = Story()
    story.answered(every(0.5, 0, 2010))
    for at in every(10, 5, 2005):
        story.fault(at, at + 5, "pause", ["gateway"])
    shown = Page(page([story.figures()], run()))
    picture = next(each for each in shown.pictures() if "faultline" in (each.get("class") or ""))
    places = [
        (float(each.get("x") or 0), each.text or "")
        for each in picture.iter(f"{SVG}text")
        if each.get("class") == "fault-name"
    ]
    assert 20 < len(places) < 100
    assert all(text.isdecimal() for _, text in places)
    assert all(after - before > 6 * len(text) for (before, text), (after, _) in pairwise(places))


def test_loss_of_state_is_reported_for_one_of_six_nodes_and_for_the_job_service(
    figures: list[FaultFigures],
) -> None:
    found = state.section(figures).blocks[0].table
    assert found is not None
    rows = {row[0]: row for row in found.rows}
    assert set(rows) == {"A job", "B node"}
    assert rows["A job"][1] == "1"
    assert rows["A job"][4] == "100.0"
    assert rows["B node"][1] == "2"
    shares = [float(each) for each in rows["B node"][4].split(", ")]
    assert all(10 < share < 25 for share in shares)


def test_sections_are_one_section_of_a_comparison_too(figures: list[FaultFigures]) -> None:
    one = html.section(figures)
    assert one.id == "faults"
    assert sum(bool(block.charts) for block in one.blocks) == 2
    assert any("over time" in block.heading.lower() for block in one.blocks)
    assert len(one.intro) == 2


def test_headings_that_a_section_is_put_under_keep_its_words() -> None:
    story = Story()
    story.answered(every(0.5, 0, 20))
    one = html.section([story.figures()])
    headings = [block.heading for block in one.blocks if block.heading]
    assert "What goes with a process" in headings
    assert any("No fault of this run" in text for block in one.blocks for text in block.text)


def test_violations_are_described_in_words_with_their_slice() -> None:
    shown = Page(page([broken().figures()], run()))
    assert "A: 1 violation." in shown.text
    assert "the checker found 1 violation: lost (1). 1 of 1 accepted job lost." in shown.text
    assert "j1 was accepted, and later there was <no> such job" in shown.text
    assert re.search(r"2\.000 s user-1 at h:1 SubmitJob noop d 2\.001 s: j1", shown.text)
    assert re.search(r"10\.000 s fault kill gateway healed at 15\.000 s", shown.text)
    assert "16.001 s: NOT_FOUND JOB_NOT_FOUND (definite)" in shown.text


def test_page_of_a_trial_without_faults_and_calls_is_whole() -> None:
    shown = Page(page([Story().figures()], run(provenance={}, plan={}, command="")))
    assert (shown.open, shown.wrong) == ([], [])
    assert "No fault of this run cost a process its memory." in shown.text
    assert "Every call was answered as it asked." in shown.text


def test_terminal_has_a_column_for_each_trial_and_the_word_of_the_checker(
    figures: list[FaultFigures],
) -> None:
    text = printed(figures)
    assert re.search(r"^ +A +B *$", text, re.MULTILINE)
    assert re.search(r"accepted +jobs +2,\d{3} +2,\d{3}", text)
    assert re.search(r"ListJobs: no service, sum / longest +s +\d+\.\d / \d\.\d", text)
    assert "A: the checker found no violation. 0 of" in text
    assert "faults that lose no state" in text


def test_brief_terminal_leaves_out_single_methods_and_nothing_else(
    figures: list[FaultFigures],
) -> None:
    whole, brief = (
        [" ".join(line.split()) for line in printed(figures, brief).splitlines()]
        for brief in (False, True)
    )
    left_out = [line for line in whole if line not in brief]
    assert left_out
    assert all(re.match(r"(SubmitJob|Get\w+|CancelJob|ListJobs): ", line) for line in left_out)
    assert [line for line in brief if line not in whole] == []


def test_terminal_names_violations() -> None:
    text = printed([broken().figures()])
    assert "lost, j1: j1 was accepted, and later there was <no> such job" in text


def test_several_trials_of_a_side_are_numbered() -> None:
    story = Story()
    story.answered([0, 1])
    other = Story("b")
    other.answered([0, 1])
    found = [story.figures(), other.figures(), story.figures()]
    assert labels(found) == ["A 1st", "B", "A 2nd"]
    assert [style(found, index) for index in range(3)] == [0, 1, 0]


def test_files_hold_the_figures_in_plain_numbers(
    figures: list[FaultFigures], tmp_path: Path
) -> None:
    write_files(tmp_path, figures, run())
    with (tmp_path / FAULTS_CSV).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    value = {
        (row["trial"], row["faults"], row["method"], row["metric"]): row["value"] for row in rows
    }
    assert len(value) == len(rows)
    assert value["A", "all faults", "", "jobs_lost"] == "0"
    assert float(value["A", "kill job", "", "state_jobs_lost"]) > 1000
    assert float(value["B", "faults that lose state", "ListJobs", "answered"]) == 0
    killed = [key for key in value if key[0] == "A" and key[1].endswith("kill worker")]
    assert {key[1][0] for key in killed} == {"k", "#"}
    held = int(value["A", "kill worker", "", "recovery_held"])
    assert held == int(value["A", "kill worker", "", "run_again_after_count"]) > 0
    data = json.loads((tmp_path / FAULTS_JSON).read_text())
    assert [each["trial"] for each in data["trials"]] == ["A", "B"]
    assert len(data["trials"][0]["faults"]) == 7
    assert data["seed"] == 1
    assert data["trials"][0]["faults"][6]["lost"]["share"] == 1.0


def test_violations_are_in_the_json_with_their_slices(tmp_path: Path) -> None:
    write_files(tmp_path, [broken().figures()], run())
    trial = json.loads((tmp_path / FAULTS_JSON).read_text())["trials"][0]
    assert trial["violations_by_rule"] == {"lost": 1}
    assert [line[1] for line in trial["violations"][0]["slice"]] == [
        "user-1 at h:1",
        "fault",
        "user-1 at h:1",
    ]


def test_backlog_is_that_of_the_gauges_where_the_times_of_jobs_are_lost() -> None:
    trial = Play("a", SCHEDULE["a"]).trial()
    figures = analyse(trial)
    assert figures.sampled
    assert figures.untimed > 1000
    paused, killed = figures.faults[0].backlog, figures.faults[3].backlog
    assert paused is not None
    assert killed is not None
    assert paused.at_end > 100
    assert killed.peak >= killed.at_end > 100
    assert killed.drain_s is not None
    assert killed.drain_s <= 5


def test_jobs_seen_done_keep_their_times_though_their_record_is_lost() -> None:
    story = Story()
    story.answered([0, 20])
    story.call(3, asked="x", answer=seen("x", "RUNNING", 1, "worker", 1))
    story.job("x", None, state="MISSING", problem="NOT_FOUND: no such job")
    story.fault(2, 4)
    recovery = story.figures().faults[0].recovery
    assert recovery is not None
    assert (recovery.held, recovery.unknown, recovery.never) == (1, 1, 0)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "–"),
        ([2.0], "2.0"),
        ([3.0, 2.0], "2.0, 3.0"),
        ([2.0, 2.0, 2.0], "2.0"),
        ([1.0, 2.0, 9.0], "2.0 (1.0–9.0)"),
        ([0.0, 0.01], "0, < 0.1"),
    ],
)
def test_few_values_are_written_as_they_are(values: list[float], text: str) -> None:
    assert written.spread(Spread.of(values)) == text


def test_share_is_all_only_if_it_is_all() -> None:
    assert written.share(Availability(100_000, 99_999)) == "99.99"
    assert written.share(Availability(3, 3)) == "100"
    assert written.share(Availability()) == "–"


def test_unsure_time_without_service_is_marked() -> None:
    assert written.downtime(Downtime(0, 0, 1.2)) == "0 (+1.2?)"
    assert written.downtime(Downtime(3, 2, 0)) == "3.0 / 2.0"
    assert written.downtime(Downtime()) == "0"
