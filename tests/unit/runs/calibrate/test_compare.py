"""Which instruments the calibration believes, and which it finds out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.record.calls import DELAY, RESPONSE, SERVICE
from testbed.record.files import read_json
from testbed.record.model import CLOSED
from testbed.runs.calibrate import report
from testbed.runs.calibrate.compare import PhaseFigures, compare
from testbed.runs.calibrate.plan import CLOSED_LOOP, STALLS, STEADY, CalibrationPlan, Phase
from tests.unit.runs.calibrate import recordings
from tests.unit.runs.calibrate.recordings import Doctor, honest, simulate

SECONDS = 14
PLAN = CalibrationPlan(rate=200, duration=12)


def phase(name: str) -> Phase:
    return next(each for each in PLAN.phases() if each.name == name)


def figures(name: str, doctor: Doctor = honest) -> PhaseFigures:
    return compare(phase(name), *simulate(phase(name), SECONDS, doctor))


@pytest.mark.parametrize("name", [STEADY, STALLS])
def test_true_instrument_is_believed_and_its_own_error_is_found(name: str) -> None:
    found = figures(name)
    assert found.agrees, [each for each in found.lines if not each.agrees]
    service = [each for each in found.lines if each.kind == SERVICE]
    assert {each.percent for each in service} == {50, 90, 95, 99}
    for line in service:
        assert line.error == pytest.approx(recordings.ADDED_MS, abs=0.003 * line.true + 0.05)
    assert found.rate == pytest.approx(200, rel=0.01)
    assert found.delay[50] == pytest.approx(recordings.DELAY_MS, rel=0.01)
    assert found.cpu_ms == pytest.approx(0.5, rel=0.01)


def test_response_times_under_stalls_are_held_against_the_closed_form() -> None:
    lines = [each for each in figures(STALLS).lines if each.kind == RESPONSE]
    p95 = next(each for each in lines if each.percent == 95 and each.method == "SubmitJob")
    assert p95.true == pytest.approx(5 + 300, abs=1)
    assert p95.reported == pytest.approx(p95.true, abs=6)


@pytest.mark.parametrize(
    ("doctor", "name"),
    [
        (recordings.omit_coordinated, STALLS),
        (recordings.lose, STEADY),
        (recordings.forget_slow, STALLS),
        (recordings.halve, STEADY),
        (recordings.round_up, STEADY),
    ],
)
def test_instrument_that_lies_is_found_out(doctor: Doctor, name: str) -> None:
    assert not figures(name, doctor).agrees


def test_coordinated_omission_is_seen_in_the_percentiles_not_only_in_the_counts() -> None:
    found = figures(STALLS, recordings.omit_coordinated)
    assert all(each.agrees for each in found.checks)
    wrong = {(each.kind, each.percent) for each in found.lines if not each.agrees}
    assert (RESPONSE, 95) in wrong
    assert (SERVICE, 95) in wrong


def test_call_that_only_the_server_knows_of_is_named() -> None:
    load, journal = simulate(phase(STEADY), SECONDS, recordings.lose)
    wrong = [each.words for each in compare(phase(STEADY), load, journal).checks if not each.agrees]
    assert len(wrong) == 1
    assert wrong[0].startswith("2,772 calls recorded of 2,800 answered")


def test_calls_that_end_with_the_drive_are_not_missed() -> None:
    load, journal = simulate(phase(STEADY), SECONDS)
    end = load.window.to_unix - 2
    cut = replace(
        load,
        window=replace(load.window, to_unix=end),
        seconds=tuple(each for each in load.seconds if each.unix < int(end)),
    )
    late = journal.calls - journal.answered_before(end - 0.1)
    found = [
        each.words
        for each in compare(phase(STEADY), cut, journal).checks
        if "at the end" in each.words
    ]
    assert found
    assert f"{late:,} of them at the end" in found[0]


def test_rate_that_is_missed_is_a_disagreement() -> None:
    load, journal = simulate(phase(STEADY), SECONDS)
    found = compare(replace(phase(STEADY), rate=210.0), load, journal)
    assert any("-4.8%" in each.words and not each.agrees for each in found.checks)


def test_closed_loop_has_neither_a_rate_to_hold_nor_response_times() -> None:
    load, journal = simulate(phase(STALLS), SECONDS)
    loop = replace(load, loop=CLOSED)
    found = compare(phase(CLOSED_LOOP), loop, journal)
    assert {each.kind for each in found.lines} == {SERVICE}
    assert not found.delay
    assert not any("offered" in each.words for each in found.checks)


def test_verdict_states_the_error_and_what_a_closed_loop_hides(tmp_path: Path) -> None:
    load, journal = simulate(phase(STALLS), SECONDS, recordings.omit_coordinated)
    waiting = compare(phase(CLOSED_LOOP), replace(load, loop=CLOSED), journal)
    all_figures = [figures(STEADY), figures(STALLS), waiting]
    words = list(report.verdict(PLAN, all_figures))
    assert words[0].startswith(
        "On this machine, at 200 calls/s, the instrument with grpc-gevent adds 0.40 ms"
    )
    assert "for SubmitJob where 305 ms are true" in words[1]
    assert "reports 5 ms for the same server" in words[1]
    assert words[2].startswith("Do not believe")
    path = report.write(tmp_path, PLAN, {"command": "testbed calibrate"}, all_figures)
    written = read_json(path)
    assert not written["agrees"]
    assert written["phases"][STEADY]["agrees"]
    assert written["provenance"]["command"] == "testbed calibrate"
    assert report.table(all_figures).row_count > 20
    assert any("DISAGREES" in line.plain for line in report.checks(all_figures)) is False
    assert DELAY not in {each.kind for each in waiting.lines}
