import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.record.history import files
from testbed.record.history.files import HistoryError
from testbed.record.history.messages import answer_of, asked_of, digest
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

HEAD = '{"format":1,"design":"a","unix_us":5000000,"clock_us":1000}'
SUBMIT = (
    '{"t":1010,"invoke":1,"client":"u","at":"h:1","call":"SubmitJob","kind":"noop","digest":"d"}'
)
SEEN = Seen("j1", "noop", "FAILED", 2, "worker-1", 10, 11, 12, "TIMEOUT: too long", True)


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


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


def test_a_killed_writer_loses_nothing_that_it_announced(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    program = f"""
        import sys
        from testbed.record.history.model import Submitted
        from testbed.record.history.writer import HistoryWriter
        writer = HistoryWriter({str(path)!r})
        while True:
            operation = writer.invoke("u", "h:1", "SubmitJob", Submitted("noop", "d"))
            print(operation, flush=True)
            writer.ok(operation, f"j{{operation}}")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(200):
            announced = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout.read().splitlines(keepends=True):
            announced = int(line) if line.endswith("\n") else announced
    history = files.read(path)
    assert [each.id for each in history.operations][:announced] == list(range(1, announced + 1))
    assert len(history.operations) - announced in {0, 1}


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


def test_text_that_no_reader_takes_is_not_written_and_the_rest_is_whole(tmp_path: Path) -> None:
    writer = HistoryWriter(tmp_path / "history.jsonl")
    call = writer.invoke("u", "h:1", "GetJobStatus", "é")
    with pytest.raises(UnicodeEncodeError):
        writer.failed(call, "UNAVAILABLE", "\udcff", definite=False)
    writer.failed(call, "UNAVAILABLE", "ü", definite=False)
    writer.close()
    (read,) = files.read(tmp_path / "history.jsonl").operations
    assert (read.asked, read.reason) == ("é", "ü")


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


def test_the_files_of_a_folder_are_one_history(tmp_path: Path) -> None:
    later = SUBMIT.replace("1010", "1005").replace('"client":"u"', '"client":"v"')
    fault = '{"t":1007,"fault":2,"kind":"cut","targets":["a>b"]}'
    write(tmp_path / "history-1.jsonl", HEAD, SUBMIT, '{"t":1020,"ok":1,"job":"j1"}')
    write(tmp_path / "history-2.jsonl", HEAD, later, fault, '{"t":1006,"ok":1,"job":"j2"}')
    files.compress(tmp_path / "history-2.jsonl")
    (tmp_path / "history-3.jsonl").touch()  # of a process that was killed at once
    history = files.read(tmp_path)
    assert [(each.client, each.answer) for each in history.operations] == [("v", "j2"), ("u", "j1")]
    identities = {each.id for each in history.operations} | {each.id for each in history.faults}
    assert len(identities) == 3


@pytest.mark.parametrize("name", ["design", "boot"])
def test_files_of_other_systems_and_machines_are_not_mixed(tmp_path: Path, name: str) -> None:
    head = json.loads(HEAD)
    write(tmp_path / "history-1.jsonl", json.dumps({**head, name: "one"}))
    write(tmp_path / "history-2.jsonl", json.dumps({**head, name: "other"}))
    with pytest.raises(HistoryError, match=f"history-2.jsonl:1: has {name} 'other'"):
        files.read(tmp_path)


def test_files_that_differ_in_what_ids_say_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "history-1.jsonl", HEAD)
    write(tmp_path / "history-2.jsonl", json.dumps({**json.loads(HEAD), "ids": ""}))
    with pytest.raises(HistoryError, match=r"history-2\.jsonl:1: has ids ''"):
        files.read(tmp_path)


def test_a_compressed_file_reads_like_the_plain_one(tmp_path: Path) -> None:
    path = write(tmp_path / "history.jsonl", HEAD, SUBMIT, '{"t":1020,"ok":1,"job":"j1"}')
    plain = files.read(path)
    packed = files.compress(path)
    assert not path.exists()
    assert files.read(packed) == files.read(tmp_path) == plain


def test_a_cut_compressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl.gz"
    path.write_bytes(gzip.compress((HEAD + "\n").encode())[:-9])
    with pytest.raises(HistoryError, match="cannot be read"):
        files.read(path)


def test_a_history_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "history.jsonl", HEAD)
    files.compress(path)
    write(path, HEAD)
    with pytest.raises(HistoryError, match="both there"):
        files.read(tmp_path)


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="holds no history"):
        files.read(tmp_path)
    with pytest.raises(HistoryError, match="there is no"):
        files.read(tmp_path / "missing")


def test_messages_become_what_the_model_holds() -> None:
    job = pb.JobSpec(kind="noop", payload=b"p")
    asked = asked_of(pb.SubmitJobRequest(job=job, request_id="r"))
    assert isinstance(asked, Submitted)
    assert (asked.kind, asked.request_id, len(asked.digest)) == ("noop", "r", 16)
    page = pb.ListJobsRequest(state=pb.JOB_STATE_DONE, kind="noop", page_size=5)
    assert asked_of(page, "s", 3) == Page("s", 3, "DONE", "noop", 5)
    assert asked_of(pb.CancelJobRequest(job_id="j")) == "j"
    status = pb.JobStatus(
        job_id="j", kind="noop", state=pb.JOB_STATE_FAILED, attempt=1, worker="w",
        failure=pb.JobFailure(reason="R", message="m"), cancel_requested=True,
    )  # fmt: skip
    status.create_time.FromMicroseconds(1)
    status.start_time.FromMicroseconds(2)
    seen = Seen("j", "noop", "FAILED", 1, "w", 1, 2, None, "R: m", True)
    assert answer_of(pb.GetJobStatusResponse(status=status)) == seen
    listed = pb.ListJobsResponse(jobs=[status], next_page_token="t")
    assert answer_of(listed) == Listed((seen,), more=True)
    result = pb.GetJobResultResponse(state=pb.JOB_STATE_DONE, output=b"out")
    assert answer_of(result) == Result("DONE", digest(b"out"))
    assert answer_of(pb.SubmitJobResponse(job_id="j")) == "j"


def test_digests_are_equal_exactly_for_equal_jobs() -> None:
    jobs = [
        pb.JobSpec(kind="a"),
        pb.JobSpec(kind="b"),
        pb.JobSpec(kind="a", payload=b"1"),
        pb.JobSpec(kind="a", execution_timeout={"seconds": 1}),
        pb.JobSpec(kind="a", execution_timeout={"seconds": -1, "nanos": 1}),
    ]

    def digest_of(job: pb.JobSpec) -> str:
        asked = asked_of(pb.SubmitJobRequest(job=job))
        assert isinstance(asked, Submitted)
        return asked.digest

    assert len({digest_of(job) for job in jobs}) == len(jobs)
    rounded = pb.JobSpec(kind="a", execution_timeout={"nanos": 999_999_999})
    assert digest_of(rounded) == digest_of(jobs[3])  # the contract's times are microseconds


def test_a_message_outside_the_contract_is_refused() -> None:
    with pytest.raises(TypeError):
        asked_of(pb.JobSpec())
    with pytest.raises(TypeError):
        answer_of(pb.JobSpec())
