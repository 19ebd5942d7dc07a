from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import TestbedError
from testbed.record import files
from testbed.report.looks import LOOKS
from testbed.runs.compare.report import html
from tests.support.experiments import Experiment, plan
from tests.unit.report.pages import Page, read

SVG = "{http://www.w3.org/2000/svg}"
CELLS = ({"users": 5}, {"users": 20})

Make = Callable[..., Page]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Writes an experiment and the page of it, and reads that; of equal ones there is one page."""
    pages: dict[str, Page] = {}

    def made(**changes: Any) -> Page:
        experiment = Experiment(**changes)
        if (name := repr(experiment)) not in pages:
            folder = tmp_path_factory.mktemp("page") / "results" / "quick" / "run"
            pages[name] = read(html.write(experiment.write(folder)))
        return pages[name]

    return made


def finding(page: Page, label: str) -> str:
    """Return the verdict in words that stands before the sentence on a metric."""
    found = re.search(
        rf'<span class="verdict [^"]*">([^<]*)</span><p>{re.escape(label)}\b', page.source
    )
    assert found, f"no finding on {label}"
    return found[1]


def test_clear_difference_is_described_in_words_with_ratio_interval_and_blocks(make: Make) -> None:
    page = make()
    assert finding(page, "SubmitJob p50") == "B better"
    assert finding(page, "Stack CPU per finished job") == "B better"
    sentence = re.search(
        r"SubmitJob p50 is .*? B/A [\d.]+, 95% interval [\d.]+ to [\d.]+", page.text
    )
    assert sentence
    assert "5 blocks" in page.text


def test_slower_second_side_is_named_as_the_worse_one(make: Make) -> None:
    assert finding(make(slower=20.0), "SubmitJob p50") == "A better"


def test_equal_sides_are_not_called_better(make: Make) -> None:
    page = make(plan=plan(sides=["a", "a"]), noise=0.1)
    assert finding(page, "SubmitJob p50") == "no difference shown"
    assert "Design A against itself" in page.text


def test_one_block_has_no_interval_and_no_verdict(make: Make) -> None:
    page = make(blocks=1)
    assert "No intervals." in page.text
    assert finding(page, "SubmitJob p50") == "not enough data"
    assert re.search(r"For none of \d+ judged metrics is there enough data", page.text)


def test_void_trials_are_named_with_their_reasons_and_left_out(make: Make) -> None:
    reason = "the gateway did not come up: port 50051 is taken <by another>"
    page = make(void={3: reason}, lose=frozenset({6}))
    assert "2 void trials." in page.text
    assert reason in page.text
    assert "trial 3 (block 2," in page.text
    assert "Lost in trial 6" in page.text
    assert "NOT_FOUND: no such job" in page.text
    assert "Incomplete. 2 of 10 planned trials have no valid attempt." in page.text


def test_page_without_any_valid_trial_says_so(make: Make) -> None:
    page = make(blocks=2, void=dict.fromkeys(range(1, 5), "the disk is full"))
    assert "4 void trials." in page.text
    assert "No valid trial has calls to show." in page.text


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_page_loads_nothing_and_is_well_formed(make: Make, loop: str) -> None:
    page = make(loop=loop, cells=CELLS, blocks=2, metrics=True)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "video"}
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert "@import" not in page.source
    assert set(re.findall(r"url\(([^)]{0,4})", page.source)) <= {"#hat"}
    hosts = set(re.findall(r"https?://[^\s\"'<>]+", page.source))
    assert hosts <= {"http://www.w3.org/2000/svg"}
    assert (page.open, page.wrong) == ([], [])
    assert len(page.ids) == len(set(page.ids))


def test_pictures_are_svg_with_titles_and_finite_places(make: Make) -> None:
    pictures = make(metrics=True).pictures()
    charts = [each for each in pictures if each.get("class") == "chart"]
    assert len(charts) >= 6
    for each in charts:
        assert each.tag == f"{SVG}svg"
        assert each.find(f"{SVG}title") is not None
        ids = (each.get("aria-labelledby") or "").split()
        assert {part.get("id") for part in each} >= set(ids)
    for picture in pictures:
        for part in picture.iter():
            for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r"):
                value = part.get(name)
                assert value is None or math.isfinite(float(value))
            assert "nan" not in (part.get("d") or "")
            assert float(part.get("width") or 0) >= 0


def test_sides_are_distinct_without_colour(make: Make) -> None:
    source = make().source
    assert re.search(r"\.line\.s1 \{[^}]*stroke-dasharray", source)
    assert 'class="mark s0"' in source
    assert "url(#hatch-s1)" in source


def test_dark_screens_and_paper_have_their_own_colours(make: Make) -> None:
    source = make().source
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source


def test_missing_metrics_of_processes_leave_that_part_empty_and_the_rest_whole(make: Make) -> None:
    page = make(metrics=False)
    assert "The trials have no record of the processes' own metrics" in page.text
    assert finding(page, "SubmitJob p50") == "B better"


def test_metrics_of_processes_show_where_the_time_goes(make: Make) -> None:
    page = make(metrics=True)
    assert "The parts add up to the client's mean" in page.text
    assert "GetJobStatus A" in page.text
    assert "the process that clients call" in page.text


def test_calls_between_processes_are_shown_for_each_hop_and_side(make: Make) -> None:
    page = make(metrics=True)
    row = r"gateway → job GetJobRecord A ([\d.]+) ([\d.]+) – –"
    found = re.search(row, page.text)
    assert found
    calls, size = map(float, found.groups())
    assert size == pytest.approx(100 * calls, rel=0.02)
    assert re.search(rf"between processes, in all A {found[1]} {found[2]}", page.text)
    assert re.search(r"node → node GetJobStatus B [\d.]+", page.text)
    assert page.text.count("gateway → job GetJobRecord") == 1
    assert finding(page, "Internal calls per finished job") == "B better"


def test_hops_of_many_sides_are_shown_on_demand_and_their_totals_at_once(make: Make) -> None:
    page = make(metrics=True, blocks=1, plan=plan(sides=["a", *["b"] * 3]))
    totals, _, by_hop = page.text.partition("Each hop of each side")
    assert re.search(r"between processes, in all A [\d.]+ [\d.,]+ B 1st [\d.]+", totals)
    assert re.search(r"node → node GetJobStatus B 1st .* B 2nd .* B 3rd", by_hop)


def test_sides_that_count_no_calls_have_no_table_of_them(make: Make) -> None:
    assert "No trial has calls that its processes counted" in make(metrics=False).text


def test_open_loop_shows_offered_achieved_and_send_delay(make: Make) -> None:
    page = make(loop="open")
    assert "Open loop: calls are sent on a schedule" in page.text
    assert "delay p99, ms" in page.text
    assert "calls that a stall kept from being sent" not in page.text


def test_cells_have_their_own_findings_and_throughput_against_load(make: Make) -> None:
    page = make(cells=CELLS, blocks=3)
    assert page.text.count("SubmitJob p50 is") == 2
    assert "users 5" in page.text
    assert "What was answered against what was offered." in page.text


def test_settings_that_differ_between_the_sides_stand_out(make: Make) -> None:
    page = make(fairness=({"slots": 12, "python": "3.11"}, {"slots": 6, "python": "3.11"}))
    assert re.search(
        r'<tr class="differs"><th scope="row">slots</th><td>12</td><td>6</td>', page.source
    )
    assert re.search(r'<tr><th scope="row">python</th>', page.source)


def test_page_says_how_to_reproduce_it_and_where_it_comes_from(make: Make) -> None:
    page = make()
    assert "git checkout 133be23f0a926932a06acf87349a4d9261eb246e testbed compare" in page.text
    assert "eb8ea4f20e2c1c680fdb8f85f5053be281d10de272d09fca10765b305683c5b2" in page.text
    assert "AMD EPYC, 2 cores" in page.text


def test_noise_floor_is_of_the_run_itself_if_its_blocks_are_mirrored(make: Make) -> None:
    page = make(mirrored=True, blocks=3)
    assert "No noise floor." not in page.text
    assert "noise floor ±" in page.text
    assert "The noise floor of a figure is of this very run" in page.text
    assert "each side in random order and then in the mirror of it" in page.text


def test_recording_with_one_trial_of_a_side_in_a_block_has_no_noise_floor(make: Make) -> None:
    page = make(blocks=3)
    assert "No noise floor. No side has two valid trials in a block" in page.text
    assert "noise floor ±" not in page.text


THREE = ("a", "b+slots=24", "a@HEAD~3")


def test_many_sides_have_a_column_each_and_ratios_to_the_first(make: Make) -> None:
    page = make(plan=plan(sides=list(THREE)), mirrored=True, blocks=3, seconds=6)
    assert "Design A against b+slots=24 and a@HEAD~3" in page.text
    assert re.search(r"b\+slots=24 against a: better in \d+, ", page.text)
    head = re.search(r'class="sided">.*?<thead><tr>(.*?)</tr>', page.source, re.DOTALL)
    assert head
    assert re.findall(r"<th[^>]*>([^<]*)</th>", head[1]) == ["", "", *THREE]
    assert 'class="verdict s1">b+slots=24 better' in page.source
    assert re.search(
        r'<tr class="group"><th[^>]*>SubmitJob p50</th></tr>\s*<tr><th[^>]*>b\+sl', page.source
    )
    assert (page.open, page.wrong) == ([], [])
    assert len(page.ids) == len(set(page.ids))


def test_every_side_has_a_mark_a_line_a_fill_and_a_glyph_of_its_own(make: Make) -> None:
    page = make(plan=plan(sides=["a", "b"] * 6), mirrored=True, blocks=2, seconds=5)
    for side in range(12):
        assert f'class="mark s{side}"' in page.source
        assert f'class="line s{side}"' in page.source
        assert f"s{side}-fill" in page.source
    looks = [(look.corners, look.is_hollow) for look in LOOKS]
    for each in (looks, [look.glyph for look in LOOKS], [look.dashes for look in LOOKS]):
        assert len(set(each)) == len(LOOKS) == 12
    assert len({look.hatch for look in LOOKS}) == 12


def test_folder_without_trials_is_refused_by_name(tmp_path: Path) -> None:
    folder = Experiment(blocks=1).write(tmp_path / "run")
    shutil.rmtree(folder / files.TRIALS)
    with pytest.raises(TestbedError, match=f"{folder}.*nothing ran"):
        html.write(folder)


BUDGET = {"cpus": 0.5, "memory_bytes": 96 << 20}


def row_of(page: Page, process: str) -> tuple[bool, list[str]]:
    """Return whether the row of a process stands out in the table of budgets, and its cells."""
    budgets = page.source.partition('<section id="budgets">')[2].partition("</section>")[0]
    found = re.search(
        rf'<tr( class="differs")?><th scope="row">{process}</th>(.*?)</tr>', budgets, re.DOTALL
    )
    assert found, f"no row of {process}"
    return bool(found[1]), re.findall(r"<td[^>]*>([^<]*)</td>", found[2])


def test_budget_and_its_use_are_shown_for_each_process(make: Make) -> None:
    page = make(blocks=2, budget=BUDGET, throttled={"worker": 0.2, "queue": 0.01})
    for side in "AB":
        assert f"{side}: 3.00 cores and 576 MiB in total, for 6 processes." in page.text
    stands_out, cells = row_of(page, "A worker")
    assert stands_out
    assert cells[0] == "0.500"
    assert float(cells[1]) / 0.5 == pytest.approx(float(cells[2].rstrip("%")) / 100, abs=0.01)
    assert cells[3:] == ["20.0%", "40.0%", "96.0", "48.0", "50.0%"]
    assert row_of(page, "A queue") == (False, row_of(page, "A queue")[1])
    assert row_of(page, "A queue")[1][3] == "1.0%"
    assert row_of(page, "B node-1")[1][3] == "0.0%"


def test_process_that_is_throttled_much_is_reported_before_any_figure(make: Make) -> None:
    page = make(blocks=2, budget=BUDGET, throttled={"worker": 0.2, "queue": 0.01})
    assert "Throttled. The CPU limit held back A worker for more than 5% of the time." in page.text
    assert "throttled by the CPU limit for this part of the time: worker 20%;" in page.text
    assert page.source.index("Throttled.") < page.source.index('class="summary"')


def test_local_processes_are_reported_without_budget(make: Make) -> None:
    page = make(blocks=2)
    assert "These processes had no budget, as local ones never have" in page.text
    assert "Throttled." not in page.text
    stands_out, cells = row_of(page, "B node-6")
    assert (stands_out, cells[1:]) == (False, ["48.0"])


def test_cost_of_a_server_that_was_there_already_is_a_dash_and_not_a_zero(make: Make) -> None:
    page = make(external=frozenset({1}), metrics=True)
    assert re.search(r"In all: A [\d.]+ ms, B – ms\.", page.text)
    assert finding(page, "Stack CPU per finished job") == "not enough data"
    assert finding(page, "SubmitJob p50") == "B better"
    assert "void" not in page.text.partition("Latency of calls")[0]
