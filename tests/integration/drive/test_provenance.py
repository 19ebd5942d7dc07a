"""What a recording says of the code and the machine it was made with."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from testbed.drive import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ("git", "-C", str(folder), *identity, *arguments),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.needs("git")
def test_provenance_names_commit_changes_lock_versions_and_machine(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / provenance.LOCK).write_text("x==1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    clean = provenance.collect(tmp_path, ("testbed", "compare", "--name", "a b"))
    assert clean["git"] == {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    assert clean["command"] == "testbed compare --name 'a b'"
    assert clean["lock_sha256"] == hashlib.sha256(b"x==1\n").hexdigest()
    assert clean["packages"]["grpcio"]
    assert clean["packages"]["locust"]
    assert clean["machine"]["cores"] >= 1
    assert len(clean["machine"]["load_average"]) == 3
    (tmp_path / "new").write_text("")
    assert provenance.git_state(tmp_path)["dirty"] is True
    json.dumps(clean)


def test_provenance_outside_a_repository_says_that_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state(tmp_path) == {"commit": None, "dirty": None}
    assert provenance.sha256(tmp_path / provenance.LOCK) is None
