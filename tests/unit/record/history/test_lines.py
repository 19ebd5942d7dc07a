"""Lines of a history: whole ones, those of other writers, and damaged ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.record.history import files
from testbed.record.history.files import HistoryError
from testbed.record.history.model import (
    ALL_JOBS,
    IDS_BY_HOME,
    OPEN_END,
    CallOutcome,
    Listed,
    Page,
)
from tests.unit.record.history.text import HEAD, SUBMIT, write


@pytest.mark.parametrize(
    ("design", "ids", "lost_state", "lost_jobs"),
    [
        ("a", IDS_BY_HOME, ["job"], ALL_JOBS),
        ("a", IDS_BY_HOME, ["gateway", "result"], ALL_JOBS),
        ("a", IDS_BY_HOME, ["gateway"], ()),
        ("b", IDS_BY_HOME, ["node-3", "node-0", "links"], (0, 3)),
        ("b", IDS_BY_HOME, [], ()),
        ("", "", ["anything"], ALL_JOBS),
        ("", "", ["node-3"], ALL_JOBS),
        ("", "", [], ()),
    ],
)
def test_history_from_before_these_fields_is_read_by_the_names_of_its_design(
    tmp_path: Path, design: str, ids: str, lost_state: list[str], lost_jobs: Any
) -> None:
    head = json.dumps({**json.loads(HEAD), "design": design})
    fault = {"t": 1010, "fault": 1, "kind": "kill", "targets": ["x"], "lost_state": lost_state}
    history = files.read(write(tmp_path / "history.jsonl", head, json.dumps(fault)))
    assert history.ids == ids
    assert history.faults[0].lost_jobs == lost_jobs


@pytest.mark.parametrize("lost", ['"some"', "[-1]", "[true]", '["node-1"]', "3", "null", "[1e2]"])
def test_lost_jobs_that_are_none_are_refused(tmp_path: Path, lost: str) -> None:
    fault = f'{{"t":1010,"fault":1,"kind":"kill","targets":[],"lost_jobs":{lost}}}'
    with pytest.raises(HistoryError, match=r":2: .* - at `\$\.lost_jobs"):
        files.read(write(tmp_path / "history.jsonl", HEAD, fault))


def test_ids_of_a_form_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    head = json.dumps({**json.loads(HEAD), "ids": "by chance"})
    with pytest.raises(HistoryError, match=":1: has ids 'by chance', not 'by home'"):
        files.read(write(tmp_path / "history.jsonl", head))


def test_a_call_without_an_end_is_indefinite_for_ever(tmp_path: Path) -> None:
    history = files.read(write(tmp_path / "history.jsonl", HEAD, SUBMIT))
    (submit,) = history.operations
    assert (submit.outcome, submit.completed) == (CallOutcome.INDEFINITE, OPEN_END)
    assert (history.unix_us, history.clock_us) == (5000000, 1000)


def test_a_page_needs_no_more_than_its_method(tmp_path: Path) -> None:
    asked = '{"t":1000,"invoke":1,"client":"c","at":"x:1","call":"ListJobs"}'
    path = write(tmp_path / "history.jsonl", HEAD, asked, '{"t":1010,"ok":1,"jobs":[]}')
    (operation,) = files.read(path).operations
    assert operation.asked == Page("", 0)
    assert operation.answer == Listed((), False)


@pytest.mark.parametrize("cut", range(1, len(SUBMIT)))
def test_a_half_written_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "history.jsonl", HEAD, SUBMIT[:cut], end="")
    assert files.read(path).operations == ()


def test_a_last_line_that_lacks_only_its_end_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "history.jsonl", HEAD, SUBMIT, end="")
    assert len(files.read(path).operations) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"t":1', "is no JSON"),
        ("", "is no JSON"),
        ("\x00\x00", "is no JSON"),
        ("[]", "is no JSON object"),
        ('{"t":1}', "is no event"),
        ('{"invoke":1}', "missing required field `t`"),
        ('{"t":"now","ok":1}', "Expected `int`, got `str` - at `\\$.t`"),
        ('{"t":1020,"ok":7,"job":"j"}', "call 7 ends, but none of that id is under way"),
        ('{"t":1000,"ok":1,"job":"j"}', "ends 10 us before it began"),
        ('{"t":1020,"ok":1}', "'job' is missing"),
        ('{"t":1020,"ok":1,"job":true}', "Expected `str`, got `bool` - at `\\$.job`"),
        ('{"t":1020,"fail":1}', "'code' is missing"),
        (SUBMIT, "id 1 is not new"),
        (SUBMIT.replace("SubmitJob", "Dance").replace(":1,", ":2,"), "'Dance' is no call"),
        ('{"t":1020,"healed":3}', "none of that id is under way"),
        ('{"t":1020,"fault":3,"kind":"kill","targets":"worker"}', "Expected `array`, got `str`"),
    ],
)
def test_damage_is_refused_with_file_line_and_reason(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = write(tmp_path / "history.jsonl", HEAD, SUBMIT, line)
    with pytest.raises(HistoryError, match=problem) as caught:
        files.read(path)
    assert str(caught.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize(
    "line",
    [
        ' {"ok": 1, "job": "j", "t": 1020} ',
        '{"t":1020,"ok":1,"job":"\\u006a"}',
        '{"t":1020,"ok":1,"job":"j","of_another_writer":{"at":[1e3,null]}}',
    ],
    ids=["other order and white space", "escapes", "a field of their own"],
)
def test_lines_that_others_write_in_their_way_say_the_same(tmp_path: Path, line: str) -> None:
    history = files.read(write(tmp_path / "history.jsonl", HEAD, SUBMIT, line))
    assert [each.answer for each in history.operations] == ["j"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"t":1020,"ok":1,"job":"j","other":{"a":1,"a":2}}', "has 'a' twice"),
        ('{"t":1020,"ok":1,"job":"j","other":"\\udcff"}', "half of a surrogate pair"),
        ('{"t":1020,"ok":1,"job":"j","other":' + "[" * 3000 + "]" * 3000 + "}", "nested too deep"),
        ('{"t":1020,"ok":1,"job":"j","other":' + "[" * 101 + "]" * 101 + "}", "nested too deep"),
        (
            '{"t":9,"fault":7,"targets":["n"],"kind":"kill","details":{"a":'
            + ("[" * 101 + "]" * 101 + "}}"),
            "nested too deep",
        ),
    ],
    ids=["twice", "half a pair", "far too deep", "too deep", "too deep in what is known"],
)
def test_damage_in_a_field_that_is_not_known_is_damage_too(
    tmp_path: Path, line: str, problem: str
) -> None:
    with pytest.raises(HistoryError, match=problem):
        files.read(write(tmp_path / "history.jsonl", HEAD, SUBMIT, line))


@pytest.mark.parametrize(
    ("call", "answer", "problem"),
    [
        (
            "GetJobStatus",
            '"seen":{"job":"j","kind":"k"}',
            "missing required field `state` - at `\\$.seen`",
        ),
        ("GetJobStatus", '"seen":[]', "Expected `object`, got `array` - at `\\$.seen`"),
        (
            "CancelJob",
            '"seen":{"job":"j","kind":"k","state":"DONE","start_us":1.5}',
            "at `\\$.seen.start_us`",
        ),
        (
            "GetJobResult",
            '"result":{"state":"DONE"}',
            "missing required field `digest` - at `\\$.result`",
        ),
    ],
)
def test_a_damaged_answer_is_refused(tmp_path: Path, call: str, answer: str, problem: str) -> None:
    asked = f'{{"t":1010,"invoke":1,"client":"u","at":"h","call":"{call}","job":"j"}}'
    path = write(tmp_path / "history.jsonl", HEAD, asked, f'{{"t":1020,"ok":1,{answer}}}')
    with pytest.raises(HistoryError, match=problem):
        files.read(path)


@pytest.mark.parametrize(
    "head", ['{"design":"a"}', '{"format":2,"design":"a"}', '{"format":1}', SUBMIT]
)
def test_a_file_without_a_head_of_this_format_is_refused(tmp_path: Path, head: str) -> None:
    with pytest.raises(HistoryError, match=":1: "):
        files.read(write(tmp_path / "history.jsonl", head, SUBMIT))
