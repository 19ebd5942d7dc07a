"""The state files of stacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.stack import records as stacks


def test_a_state_file_from_before_there_were_revisions_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path))
    process = stacks.ProcessRecord(
        "job", 1, 2.0, 3, "log", tree="tree", python="python", stop_signal="SIGINT"
    )
    record = stacks.StackRecord("a", "local", (), {}, (process,), 12, {}, "now", revision="abc")
    stacks.save(record)
    assert stacks.load("a") == record
    data = json.loads(stacks.state_file("a").read_text())
    del data["revision"]
    for name in ("tree", "python", "stop_signal"):
        del data["processes"][0][name]
    stacks.state_file("a").write_text(json.dumps(data))
    before = stacks.ProcessRecord("job", 1, 2.0, 3, "log")
    older = replace(record, revision="", processes=(before,), side="")
    assert stacks.load("a") == older
