"""A design at a revision: found by git, exported once, described by its own code."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.process_spec import MEMORY, NOTHING
from common.stack_spec import StackSpec
from testbed.drive import provenance
from testbed.errors import TestbedError
from testbed.stack import records as stacks
from testbed.stack.manifests import compose
from testbed.stack.sides import exports, repository, revisions
from testbed.stack.sides.resolve import EVERY_FACT, checked, resolve
from tests.support.repositories import Repository, old_project
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An old project, whose revisions are those that sides name; state is beside it."""
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setattr(revisions, "CHECKOUT", tmp_path / "project")
    return old_project(tmp_path / "project")


def error_of(side: str, base: StackSpec | None = None) -> TestbedError:
    with pytest.raises(TestbedError) as raised:
        resolve(side, base or StackSpec())
    assert f"side {side!r}" in str(raised.value)
    return raised.value


def test_files_of_a_revision_are_exported_without_those_of_git(project: Repository) -> None:
    before = project.git("rev-parse", "HEAD")
    project.write("design_a/topology.py", "TOPOLOGY = 'changed'")
    project.write("design_a/new.py", "")
    project.commit("Change it")

    tree = resolve("a@HEAD~1").revision.tree  # type: ignore[union-attr]

    assert tree == stacks.project_root() / ".testbed" / "revisions" / before[:12]
    assert "two old processes" in (tree / "design_a" / "topology.py").read_text()
    assert not (tree / "design_a" / "new.py").exists()
    assert not (tree / ".git").exists()
    assert project.git("worktree", "list").count("\n") == 0
    assert project.git("status", "--porcelain") == ""


def test_exported_revisions_are_no_stacks(project: Repository) -> None:
    resolve("a@HEAD")
    assert stacks.recorded() == []


def test_one_process_has_one_commit_although_the_branch_moves(project: Repository) -> None:
    before = resolve("a@main")
    project.write("more", "")
    project.commit("Move on")
    assert resolve("a@main").revision == before.revision


def test_an_old_topology_is_read_with_the_defaults_of_today(project: Repository) -> None:
    topology = resolve("a@main").topology

    assert topology.title == "two old processes"
    store, worker = topology.processes
    assert (store.module, store.port, store.holds) == ("design_a.store", 41001, MEMORY)
    assert (worker.peers, worker.slot_share, worker.holds) == (("store",), 2, NOTHING)
    assert not worker.scalable
    assert topology.links_port == 0


def test_settings_that_a_revision_does_not_know_are_left_out(project: Repository) -> None:
    deployment = resolve("a@main+lease=9")

    services = compose.document(deployment.topology, deployment.spec)["services"]

    assert services["worker"]["environment"] == {
        "TASKQUEUE_LEASE": "9",
        "TASKQUEUE_LISTEN": "0.0.0.0:41002",
        "TASKQUEUE_METRICS": "0.0.0.0:42002",
        "TASKQUEUE_NAME": "worker",
        "TASKQUEUE_PEERS": "store=store:41001",
        "TASKQUEUE_SLOTS": "12",
    }


@pytest.mark.parametrize(
    ("side", "base"),
    [
        ("a@main+max_connections=5", StackSpec()),
        ("a@main", StackSpec(settings={"max_connections": "5"})),
    ],
)
def test_a_setting_that_was_asked_for_and_that_a_revision_lacks_is_refused(
    project: Repository, side: str, base: StackSpec
) -> None:
    error = error_of(side, base)
    assert "option 'max_connections': revision main (" in str(error)
    assert "has no such setting" in str(error)
    assert "heartbeat_timeout, lease" in error.hint


def test_a_revision_judges_its_settings_itself(project: Repository) -> None:
    assert "refuses its settings: store: the lease is too short" in str(error_of("a@main+lease=1"))


def test_a_design_that_a_revision_does_not_have_is_named_with_those_that_it_has(
    project: Repository,
) -> None:
    error = error_of("b@main")
    assert "has no design 'b'" in str(error)
    assert error.hint == "it has a"


def test_a_revision_from_before_designs_were_data_is_refused(project: Repository) -> None:
    project.write("design_a/topology.py", "")
    project.commit("Describe nothing")
    error = error_of("a@HEAD")
    assert "does not say what its designs consist of" in str(error)
    assert "TOPOLOGY" in str(error)


def test_every_fact_may_differ_because_of_the_revision(project: Repository) -> None:
    declared = resolve("a@main+lease=9").declared
    assert declared[EVERY_FACT].startswith("revision main (")
    assert declared["lease"] == "option lease=9"


@pytest.mark.parametrize(
    ("revision", "meant"),
    [
        ("mian", "did you mean main?"),
        ("HEAD~5", "HEAD is the oldest one"),
        ("feature", "did you mean elsewhere/feature?"),
        ("--all", "`git log --oneline` shows the revisions"),
    ],
)
def test_an_unknown_revision_is_named_with_what_could_be_meant(
    project: Repository, revision: str, meant: str
) -> None:
    project.git("update-ref", "refs/remotes/elsewhere/feature", "HEAD")
    error = error_of(f"a@{revision}")
    assert f"there is no revision {revision!r}" in str(error)
    assert meant in error.hint


def test_a_shallow_clone_is_the_reason_that_is_given(
    project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("more", "")
    project.commit("Move on")
    clone = tmp_path / "clone"
    project.git("clone", "--quiet", "--depth=1", project.root.as_uri(), str(clone))
    monkeypatch.setattr(revisions, "CHECKOUT", clone)
    hint = error_of("a@HEAD~1").hint
    assert "HEAD is the oldest one; this clone is shallow: `git fetch --unshallow`" in hint


def test_without_a_repository_there_are_no_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "CHECKOUT", tmp_path)
    error = error_of("a@main")
    assert f"{tmp_path} is not in a git repository" in str(error)
    assert "clone" in error.hint


def test_without_git_it_is_git_that_is_missing(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    error = error_of("a@main")
    assert "git, which is not installed" in str(error)


def test_a_project_in_a_folder_of_a_repository_is_exported_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stacks.HOME_VARIABLE, str(tmp_path / "home"))
    whole = Repository(tmp_path / "whole")
    project = old_project(tmp_path / "whole" / "project")
    (project.root / ".git").rename(tmp_path / "unused")
    whole.write("beside", "")
    whole.commit("Begin")
    monkeypatch.setattr(revisions, "CHECKOUT", project.root)

    tree = resolve("a@main").revision.tree  # type: ignore[union-attr]

    assert sorted(each.name for each in tree.iterdir()) == [
        *("common", "design_a", "requirements.lock")
    ]


def test_an_interrupted_export_leaves_nothing(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = repository.export

    def interrupted(root: Path, commit: str, folder: Path) -> None:
        whole(root, commit, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(repository, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        resolve("a@main")
    assert not list((stacks.project_root() / ".testbed" / "revisions").iterdir())


def test_two_that_export_at_once_have_the_same_files(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, commit = repository.export, project.git("rev-parse", "HEAD")
    others: list[Path] = []

    def beside_another(root: Path, commit: str, folder: Path) -> None:
        monkeypatch.setattr(repository, "export", whole)
        others.append(exports.tree(root, commit, lambda _text: None))
        whole(root, commit, folder)

    monkeypatch.setattr(repository, "export", beside_another)
    tree = exports.tree(project.root, commit, lambda _text: None)

    assert others == [tree]
    assert list(tree.parent.iterdir()) == [tree]


def test_an_equal_lock_needs_no_environment_of_its_own(project: Repository) -> None:
    revision = resolve("a@main").revision
    assert revision is not None
    assert not revision.has_own_environment


def test_another_lock_has_an_environment_that_is_made_once(project: Repository) -> None:
    project.write("requirements.lock", "# no packages at all\n")
    project.commit("Need nothing")
    said: list[str] = []
    revision = revisions.find("HEAD", said.append)

    assert revision.has_own_environment
    assert Path(revision.python).is_relative_to(stacks.project_root() / ".testbed/environments")
    assert any("once, up to a minute" in each for each in said)
    assert resolve("a@HEAD").topology.title == "two old processes"

    again: list[str] = []
    assert exports.python(revision.tree, again.append) == revision.python
    assert not again


def test_an_environment_that_cannot_be_made_says_why_and_leaves_nothing(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project.write("requirements.lock", f"there-is-none==1 --hash=sha256:{'0' * 64}\n")
    project.commit("Need what is not there")
    error = error_of("a@HEAD")
    assert "No matching distribution found for there-is-none==1" in str(error)
    assert not list((stacks.project_root() / ".testbed" / "environments").iterdir())


# Instead of `python -m venv FOLDER`: has a process of its own go on for a minute.
SLOW = """#!/bin/sh
(for _ in $(seq 3000); do mkdir -p "$3/lib"; echo >> "$3/lib/more"; sleep 0.02; done) &
echo $! > "$PIP_TEST_PID"
wait
"""


class SlowEnvironment:
    """An environment that takes a minute to make."""

    def __init__(self, pid: Path) -> None:
        self._pid = pid
        self.folder = stacks.project_root() / ".testbed" / "environments"

    def is_being_made(self) -> bool:
        return bool(
            self._pid.exists() and self._pid.read_text() and list(self.folder.glob(".*/lib"))
        )

    def is_given_up(self) -> bool:
        try:
            status = psutil.Process(int(self._pid.read_text())).status()
        except psutil.NoSuchProcess:
            return True
        return status == psutil.STATUS_ZOMBIE


@pytest.fixture
def slow(project: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlowEnvironment:
    python, pid = tmp_path / "python", tmp_path / "pid"
    python.write_text(SLOW)
    python.chmod(0o700)
    monkeypatch.setenv("PIP_TEST_PID", str(pid))
    monkeypatch.setattr(exports.sys, "executable", str(python))
    project.write("requirements.lock", "# no packages at all\n")
    project.commit("Need nothing")
    return SlowEnvironment(pid)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_environment_that_is_interrupted_leaves_neither_files_nor_processes(
    slow: SlowEnvironment,
) -> None:
    def come_in_between() -> None:
        eventually(slow.is_being_made)
        interrupt()

    user = threading.Thread(target=come_in_between)
    user.start()
    with pytest.raises(KeyboardInterrupt):
        revisions.find("HEAD", lambda _: None)
    user.join()

    assert slow.is_given_up()
    assert list(slow.folder.iterdir()) == []


def test_an_interrupt_before_the_number_of_a_process_is_known_ends_it_too(
    slow: SlowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def interrupted(command: list[str], **how: Any) -> subprocess.Popen[str]:
        process = start(command, **how)
        if command[0] == exports.sys.executable:
            eventually(slow.is_being_made)
            interrupt()
        return process

    monkeypatch.setattr(exports.subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        revisions.find("HEAD", lambda _: None)

    assert slow.is_given_up()
    assert list(slow.folder.iterdir()) == []


def test_a_revision_without_a_dockerfile_does_not_run_in_containers(project: Repository) -> None:
    assert "has no compose/Dockerfile" in str(error_of("a@main+runtime=compose"))


def test_an_image_is_built_from_the_files_of_the_revision_and_bears_its_name(
    project: Repository,
) -> None:
    deployment = resolve("a@main")
    service = compose.document(deployment.topology, deployment.spec)["services"]["store"]
    revision = deployment.revision
    assert revision is not None
    assert service["image"] == f"taskqueue-testbed:{revision.commit[:12]}"
    assert service["build"]["context"] == str(revision.tree)


def test_provenance_names_the_commit_of_each_revision(project: Repository, tmp_path: Path) -> None:
    found = provenance.collect(tmp_path, ("testbed",), [resolve("a@main"), resolve("a")])
    assert found["revisions"] == {
        "a@main": {
            "commit": project.git("rev-parse", "HEAD"),
            "subject": "Begin with two processes",
            "lock_sha256": provenance.sha256(project.root / "requirements.lock"),
            "python": "that of the testbed",
        }
    }
    assert "revisions" not in provenance.collect(tmp_path, ("testbed",), [resolve("a")])


def test_a_plan_can_be_read_where_its_revisions_are_not(project: Repository) -> None:
    assert checked("A@nowhere+slots=24+lease=9") == "a@nowhere+lease=9+slots=24"
    with pytest.raises(TestbedError):
        checked("a+nothing=1")
