"""The files of a history: several that are one, compressed ones, and none."""

import gzip
import json
from pathlib import Path

import pytest

from testbed.record.history import files
from testbed.record.history.files import HistoryError
from tests.unit.record.history.text import HEAD, SUBMIT, write


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
