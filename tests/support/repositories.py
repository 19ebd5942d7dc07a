"""Repositories of a test's own, and what an older version of the project may have looked like."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

OLD_CONFIG = """
import dataclasses

@dataclasses.dataclass(frozen=True)
class Settings:
    name: str
    listen: str
    metrics: str
    peers: str = ""
    slots: int = 0
    lease: float = 6.0
    heartbeat_timeout: float = 3.0
    patience: float = 1.0

    @classmethod
    def from_environment(cls, variables):
        given = {name.removeprefix("TASKQUEUE_").lower(): text for name, text in variables.items()}
        settings = cls(**given)
        if float(settings.lease) < float(settings.heartbeat_timeout):
            raise ValueError("the lease is too short")
        return settings
"""
OLD_TOPOLOGY = """
import dataclasses
from typing import Any, Mapping

@dataclasses.dataclass(frozen=True)
class ProcessSpec:
    name: str
    module: str
    port: int
    metrics_port: int
    peers: tuple = ()
    slot_share: int = 0
    stateful: bool = False
    mood: str = "good"

@dataclasses.dataclass(frozen=True)
class Topology:
    design: str
    title: str
    processes: tuple
    entries: tuple
    era: int = 1
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
"""
OLD_DESIGN = """
import common.config  # so that it is known where it comes from
from common.topology import ProcessSpec, Topology

print("a module that prints while it is imported")
TOPOLOGY = Topology(
    "a",
    "two old processes",
    (
        ProcessSpec("store", "design_a.store", 41001, 42001, stateful=True),
        ProcessSpec("worker", "design_a.worker", 41002, 42002, ("store",), slot_share=2),
    ),
    ("store",),
)
"""


class Repository:
    """A git repository in a folder, with one branch, ``main``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints."""
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ("git", "-C", str(self.root), *identity, *arguments),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit everything there is; return the name of the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


def old_project(root: Path) -> Repository:
    """Return a repository with a project as it may have been long ago, in one commit."""
    repository = Repository(root)
    shutil.copy(ROOT / "requirements.lock", root)
    repository.write("common/__init__.py", "")
    repository.write("common/config.py", OLD_CONFIG)
    repository.write("common/topology.py", OLD_TOPOLOGY)
    repository.write("design_a/__init__.py", "")
    repository.write("design_a/topology.py", OLD_DESIGN)
    repository.commit("Begin with two processes")
    return repository


def copy_of_this_project(root: Path) -> Repository:
    """Return a repository with all files of this checkout that a command needs, not committed."""
    repository = Repository(root)
    for name in ("common", "design_a", "design_b", "testbed", "compose"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock", ".dockerignore"):
        shutil.copy(ROOT / name, root)
    return repository
