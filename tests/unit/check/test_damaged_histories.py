"""A history that is damaged in any way ends ``testbed check`` with 2, never with a verdict."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from testbed import check as checker
from testbed.cli import main as cli
from testbed.cli.main import make_app
from tests.support.histories import perfect, write

BROKEN = "BROKEN"
# What is there instead of a value, as JSON: of other types, and what a value must not be.
JUNK = (
    "null", "true", "[]", "{}", '""', '"\\u0000"', '"\\ud800"', '"é"', "-1", "0", "1.5", "NaN",
    "Infinity", "-Infinity", "1e999", "9" * 25, "9" * 5000, "[" * 3000 + "]" * 3000,
    '{"a":1,"a":2}',
)  # fmt: skip
HEAD = '{"format":1,"design":"a","unix_us":5000000,"clock_us":1000}'
ASK = '{"t":1010,"invoke":1,"client":"u","at":"h:1","call":"GetJobStatus","job":"j"}'
SEEN = '"job":"j","kind":"noop","state":"DONE"'


def check(path: Path) -> Result:
    return CliRunner().invoke(make_app(), ["check", str(path)])


def assert_refused(path: Path, line: int) -> None:
    result = check(path)
    assert result.exit_code == 2, (result.exception, result.output)
    assert f"{path}:{line}: " in result.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = write(perfect(3, 30), tmp_path_factory.mktemp("whole") / "history.jsonl")
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "third",
    [
        b"[" * 200_000 + b"]" * 200_000,
        b'{"t":1020,"ok":1,"seen":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001,
        b"\xff\xfe{}",
        b"\x00" * 100,
        b"\xed\xa0\x80",
        b'{"t":NaN,"ok":1}',
        b'{"t":1e999,"ok":1}',
        b'{"t":Infinity,"ok":1}',
        b'{"t":-5,"ok":1}',
        b'{"t":' + b"9" * 400 + b',"ok":1}',
        b'{"t":' + b"9" * 5000 + b',"ok":1}',
        b'{"t":4611686018427387904,"ok":1}',
        b'{"t":1020,"t":1030,"ok":1,"seen":{' + SEEN.encode() + b"}}",
        b'{"t":1020,"ok":1,"seen":{"state":"RUNNING",' + SEEN.encode() + b"}}",
        b'{"t":1020,"ok":1,"seen":{' + SEEN.encode() + b',"worker":"\\udcff"}}',
        b'{"t":1020,"ok":1,"seen":{' + SEEN.encode() + b',"attempt":' + b"9" * 400 + b"}}",
        b'{"t":1020,"ok":1,"seen":{' + SEEN.encode() + b',"start_us":' + b"9" * 400 + b"}}",
        b'{"t":1020,"ok":true,"seen":{' + SEEN.encode() + b"}}",
        b'{"t":1020,"end":7}',
    ],
    ids=lambda line: line[:24],
)
def test_a_damaged_line_is_named_and_is_no_verdict(tmp_path: Path, third: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join((HEAD.encode(), ASK.encode(), third, b"")))
    assert_refused(path, 3)


def test_the_hundredth_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    calls = [ASK.replace('"invoke":1', f'"invoke":{each}') for each in range(98)]
    path.write_text("\n".join((HEAD, *calls, "[]", "")))
    assert_refused(path, 100)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbf" + HEAD.encode() + b"\n",
        HEAD.replace('"format":1', '"format":true').encode() + b"\n",
        HEAD.replace('"format":1', '"format":1,"boot":' + "[" * 900 + "]" * 900).encode() + b"\n",
    ],
)
def test_a_file_without_a_head_is_named_and_is_no_verdict(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(head)
    assert_refused(path, 1)


def test_a_line_without_an_end_in_sight_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.record.history.files._LONGEST", 1 << 10)
    path = tmp_path / "history.jsonl"
    path.write_bytes(f"{HEAD}\n{ASK}\n".encode() + b" " * 5000 + b"\n")
    assert_refused(path, 3)


@pytest.mark.parametrize(
    "put",
    [os.mkfifo, os.mkdir, lambda path: os.symlink("nowhere", path)],
    ids=["pipe", "folder", "link to nothing"],
)
@pytest.mark.parametrize("inside", [True, False], ids=["in a folder", "by itself"])
def test_what_is_no_file_is_named_and_not_waited_for(
    tmp_path: Path, put: Callable[[Path], None], inside: bool
) -> None:
    path = tmp_path / "history.jsonl"
    put(path)
    result = check(tmp_path if inside else path)
    assert result.exit_code == 2
    assert str(path if inside else path.resolve()) in result.stderr


def test_lines_that_went_missing_from_the_end_of_a_finished_history_show(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    end = '{"t":1030,"end":3}'
    answer = '{"t":1020,"ok":1,"seen":{' + SEEN + "}}"
    path.write_text("\n".join((HEAD, ASK, answer, end, "")))
    assert "does not say where it ends" not in check(path).stdout
    path.write_text("\n".join((HEAD, ASK, answer, "")))
    assert f"{path} does not say where it ends" in check(path).stdout
    path.write_text("\n".join((HEAD, ASK, end, "")))
    assert_refused(path, 3)
    path.write_text("\n".join((HEAD, ASK, answer, end, ASK.replace(":1,", ":2,"), "")))
    assert_refused(path, 5)


@pytest.mark.slow
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_damage_at_all_ends_without_a_code_of_its_own(
    whole: list[str], tmp_path: Path, data: st.DataObject
) -> None:
    lines = list(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        _damage(lines, data)
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"\n".join(line.encode(errors="surrogateescape") for line in lines) + b"\n")
    result = check(path)
    assert result.exit_code in {0, 1, 2}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code == 1) == (BROKEN in result.stdout)
    if result.exit_code == 2:
        assert f"{path}:" in result.stderr


def _damage(lines: list[str], data: st.DataObject) -> None:
    """Change one line: bytes of it, one of its values, or its place."""
    at = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(("value", "value", "drop", "bytes", "cut", "again", "away")))
    line = lines[at]
    if how == "value":
        lines[at] = _with_junk(
            line, data.draw(st.integers(0, 40)), data.draw(st.sampled_from(JUNK))
        )
    elif how == "drop":
        lines[at] = _with_junk(line, data.draw(st.integers(0, 40)), None)
    elif how == "bytes":
        place = data.draw(st.integers(0, len(line)))
        junk = data.draw(st.binary(min_size=1, max_size=4)).decode(errors="surrogateescape")
        lines[at] = line[:place] + junk + line[place + 1 :]
    elif how == "cut":
        lines[at] = line[: data.draw(st.integers(0, len(line)))]
    elif how == "again":
        lines.insert(data.draw(st.integers(0, len(lines))), line)
    elif len(lines) > 1:
        del lines[at]


def _with_junk(line: str, which: int, junk: str | None) -> str:
    """Put junk, as JSON, in place of one of the values of a line; ``None`` leaves the field out."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    places = list(_places(value))
    if not places:
        return junk or ""
    holder, key = places[which % len(places)]
    if junk is None:
        del holder[key]
        return json.dumps(value)
    holder[key] = "@junk@"
    return json.dumps(value).replace('"@junk@"', junk)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    ):
        yield value, key
        yield from _places(value[key])


def test_an_error_that_nobody_foresaw_is_no_verdict_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(perfect(1, 10), tmp_path / "history.jsonl")

    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(checker, "check", fail)
    monkeypatch.setattr("sys.argv", ["testbed", "check", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "ZeroDivisionError: planted" in capsys.readouterr().err
