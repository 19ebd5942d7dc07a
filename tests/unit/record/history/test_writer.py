"""A history as it is written, and what is read back of it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from testbed.record.history import files
from testbed.record.history.model import (
    ALL_JOBS,
    IDS_BY_HOME,
    OPEN_END,
    CallOutcome,
    Listed,
    Page,
    Result,
    Seen,
    Submitted,
)
from testbed.record.history.writer import HistoryWriter
from tests.unit.record.history.text import HEAD, write

SEEN = Seen("j1", "noop", "FAILED", 2, "worker-1", 10, 11, 12, "TIMEOUT: too long", True)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    writer = HistoryWriter(path, "b", IDS_BY_HOME)
    asked = {
        "SubmitJob": (Submitted("noop", "d1", "r1"), "j1"),
        "GetJobStatus": ("j1", SEEN),
        "GetJobResult": ("j1", Result("FAILED", "0" * 16, "TIMEOUT: too long")),
        "CancelJob": ("j1", Seen("j1", "noop", "QUEUED", 0)),
        "ListJobs": (Page("s1", 2, "DONE", "noop", 10), Listed((SEEN, SEEN), more=True)),
    }
    for call, (question, answer) in asked.items():
        writer.ok(writer.invoke("user-1", "host:1", call, question), answer)
    writer.failed(writer.invoke("u", "h:1", "GetJobStatus", "j2"), "NOT_FOUND", "X", definite=True)
    writer.failed(writer.invoke("u", "h:1", "CancelJob", "j2"), "UNAVAILABLE", "", definite=False)
    fault = writer.fault("kill", ["node-1"], ["node-1"], {"seed": "7"}, (4, 1))
    writer.healed(fault)
    writer.close()

    history = files.read(path)

    assert (history.design, history.ids) == ("b", IDS_BY_HOME)
    done = {each.call: each for each in history.operations[:5]}
    assert {call: (each.asked, each.answer) for call, each in done.items()} == asked
    assert {each.outcome for each in done.values()} == {CallOutcome.OK}
    refused, unknown = history.operations[5:]
    assert (refused.outcome, refused.code, refused.reason) == (CallOutcome.FAIL, "NOT_FOUND", "X")
    assert (unknown.outcome, unknown.code) == (CallOutcome.INDEFINITE, "UNAVAILABLE")
    assert all(each.invoked <= each.completed < OPEN_END for each in history.operations)
    (read,) = history.faults
    assert (read.kind, read.targets, read.lost_state) == ("kill", ("node-1",), ("node-1",))
    assert (read.details, read.lost_jobs) == ({"seed": "7"}, (4, 1))
    assert history.operations[-1].completed <= read.begun <= read.ended < OPEN_END


@pytest.mark.parametrize(
    ("lost_state", "lost_jobs", "read"),
    [
        (["x"], None, ALL_JOBS),
        ([], None, ()),
        (["node-1"], (), ()),
        (["job"], (2,), (2,)),
        ([], ALL_JOBS, ALL_JOBS),
    ],
)
@pytest.mark.parametrize("design", ["a", "b", ""])
def test_lost_jobs_are_what_the_writer_says_whatever_names_it_gives_or_any(
    tmp_path: Path, design: str, lost_state: list[str], lost_jobs: Any, read: Any
) -> None:
    writer = HistoryWriter(tmp_path / "history.jsonl", design)
    writer.fault("kill", ["x"], lost_state, lost_jobs=lost_jobs)
    writer.close()
    history = files.read(tmp_path)
    assert history.faults[0].lost_jobs == read
    assert history.ids == ""


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "history.jsonl", HEAD)
    with pytest.raises(FileExistsError):
        HistoryWriter(path)
    assert path.read_text() == HEAD + "\n"


def test_threads_share_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    writer = HistoryWriter(path)

    def call(number: int) -> None:
        operation = writer.invoke("u", "h:1", "GetJobStatus", f"j{number}")
        writer.ok(operation, Seen(f"j{number}", "noop", "QUEUED", 0))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(500)))
    writer.close()
    history = files.read(path)
    assert sorted(each.asked for each in history.operations) == sorted(
        f"j{number}" for number in range(500)
    )
    assert all(each.answer.job_id == each.asked for each in history.operations)
    assert [each.id for each in history.operations] == list(range(1, 501))


def test_text_that_no_reader_takes_is_not_written_and_the_rest_is_whole(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path / "history.jsonl")
    call = writer.invoke("u", "h:1", "GetJobStatus", "é")
    with pytest.raises(UnicodeEncodeError):
        writer.failed(call, "UNAVAILABLE", "\udcff", definite=False)
    writer.failed(call, "UNAVAILABLE", "ü", definite=False)
    writer.close()
    (read,) = files.read(tmp_path / "history.jsonl").operations
    assert (read.asked, read.reason) == ("é", "ü")
