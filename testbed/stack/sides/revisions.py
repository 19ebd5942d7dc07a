"""A design as it was at a revision of this project: its files, its environment, its topology.

What it consists of is asked of the revision itself, and read by today's code: what that does not
know is left out, and what the revision does not say is as it is by default.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from common.process_spec import MEMORY, NOTHING
from common.stack_spec import Source
from common.topology import Topology
from testbed import CHECKOUT
from testbed.errors import TestbedError
from testbed.stack import designs, environment
from testbed.stack.runtimes import Progress
from testbed.stack.sides import exports, questions, repository
from testbed.stack.sides.repository import RevisionError

SECONDS = 60.0


@dataclass(frozen=True)
class Revision:
    """A commit of this project, its files in ``tree``.

    ``name`` is what was asked for, ``subject`` the first line of its message. ``python`` is the
    interpreter that has the packages of its lock file, whose SHA-256 is ``lock_sha256``.
    """

    name: str
    commit: str
    subject: str
    tree: Path
    python: str
    lock_sha256: str

    @property
    def has_own_environment(self) -> bool:
        """Whether its packages are others than those of this process."""
        return self.python != sys.executable

    def __str__(self) -> str:
        """Name it as it was asked for, and by what it is."""
        short = self.commit[: len(self.name)] if self.commit.startswith(self.name) else ""
        return self.name if short else f"{self.name} ({self.commit[:10]})"


def find(name: str, progress: Progress, local: bool = True) -> Revision:
    """Return a revision of this checkout, exported; in one process it is always the same commit.

    ``local`` revisions have an environment of their own if they need one; else ``python`` is the
    interpreter of this process. Raises :class:`TestbedError`, naming the revision, if it cannot be
    had.
    """
    key = CHECKOUT, name, local
    if key not in _found:
        commit = repository.commit_of(CHECKOUT, name)
        tree = exports.tree(CHECKOUT, commit, progress)
        python = exports.python(tree, progress) if local else sys.executable
        subject = repository.subject_of(CHECKOUT, commit)
        lock = exports.digest_of(tree / exports.LOCK)
        _found[key] = Revision(name, commit, subject, tree, python, lock)
    return _found[key]


# A branch may move while a command runs, and all its trials are to be of one commit.
_found: dict[tuple[Path, str, bool], Revision] = {}


def describe(revision: Revision, design: str) -> tuple[Topology, Source]:
    """Return a design as it was at a revision, and what its processes are started from.

    Raises :class:`RevisionError` if the revision does not have it, with the designs that it has.
    """
    modules = _designs(revision.tree)
    if design not in modules:
        raise RevisionError(
            f"revision {revision} has no design {design!r}",
            f"it has {', '.join(sorted(modules)) or 'none that this testbed knows'}",
        )
    answer = _ask(revision, "describe", modules[design])
    try:
        topology = msgspec.convert(_in_words_of_today(answer["topology"]), Topology)
    except (KeyError, ValueError, msgspec.ValidationError) as error:
        raise RevisionError(
            f"design {design} of revision {revision} cannot be read: {error}"
        ) from error
    settings = frozenset(answer["settings"])
    source = Source(revision.commit, str(revision.tree), revision.python, settings)
    return topology, source


def _in_words_of_today(topology: Mapping[str, Any]) -> dict[str, Any]:
    """Return a topology as plain data, with fields that had another name in older code."""
    processes = [
        {**each, "holds": each.get("holds", MEMORY if each.get("stateful") else NOTHING)}
        for each in topology["processes"]
    ]
    return {**topology, "processes": processes}


def check(revision: Revision, environments: Mapping[str, Mapping[str, str]]) -> None:
    """Have the revision's own code read the settings of each process.

    Raises :class:`RevisionError` with what it objects to.
    """
    own = {
        name: {key: value for key, value in variables.items() if key.startswith("TASKQUEUE_")}
        for name, variables in environments.items()
    }
    if problems := _ask(revision, "check", own)["problems"]:
        raise RevisionError(f"revision {revision} refuses its settings: {problems[0]}")


def _designs(tree: Path) -> dict[str, str]:
    """Return the module of each design whose topology is in a tree, by its name."""
    own = {
        path.parent.name.removeprefix("design_"): f"{path.parent.name}.topology"
        for path in tree.glob("design_*/topology.py")
    }
    known = {**own, **designs.DESIGNS}
    return {
        name: module
        for name, module in known.items()
        if tree.joinpath(*module.split(".")).with_suffix(".py").is_file()
    }


def _ask(revision: Revision, question: str, argument: object) -> dict[str, Any]:
    return _asked(revision, json.dumps([question, argument]))


@cache
def _asked(revision: Revision, question: str) -> dict[str, Any]:
    tree = str(revision.tree)
    done = subprocess.run(
        # Without the folder of the script itself on its path, but that of the revision.
        [revision.python, "-P", questions.__file__],
        input=question,
        cwd=tree,
        env=environment.of_process(os.environ, tree),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        end = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
        raise RevisionError(
            f"revision {revision} does not say what its designs consist of: {end}",
            "it is from before designs were described as data, or it does not run",
        )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise TestbedError(f"revision {revision} answers {done.stdout[:80]!r}") from error
    return answer
