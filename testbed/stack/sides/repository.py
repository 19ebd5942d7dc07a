"""What git knows of the project: commits by the names that people give them, and their files."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from testbed.errors import TestbedError
from testbed.stack import environment

SECONDS = 60.0
_SHALLOW = (
    "this clone is shallow: `git fetch --unshallow` fetches the rest; in a workflow, fetch-depth: 0"
)
_ARCHIVE = "archive.tar"


class RevisionError(TestbedError):
    """A revision cannot be had; the message names it."""


def commit_of(root: Path, revision: str) -> str:
    """Return the whole name of the commit that a revision is in the repository at ``root``.

    Raises :class:`RevisionError` without git, outside of a repository and for a revision that is
    not there, with what could be meant.
    """
    _require_repository(root, revision)
    asked = f"{revision}^{{commit}}"
    done = _run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    if done.returncode:
        raise RevisionError(f"there is no revision {revision!r}", "; ".join(_hints(root, revision)))
    return done.stdout.strip()


def subject_of(root: Path, commit: str) -> str:
    """Return the first line of a commit's message."""
    return _run(root, "show", "--no-patch", "--format=%s", commit).stdout.strip()


def export(root: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder, and nothing that belongs to git.

    Of a project in a folder of its repository it is that folder. Raises :class:`RevisionError`.
    """
    archive = folder / _ARCHIVE
    done = _run(root, "archive", "--format=tar", f"--output={archive}", commit)
    if done.returncode:
        raise RevisionError(
            f"the files of revision {commit[:12]} cannot be read: {_last_line(done.stderr)}",
            _SHALLOW if _is_shallow(root) else "",
        )
    with tarfile.open(archive) as files:
        # Older patch releases of Python 3.11 have no filters yet.
        files.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        files.extractall(folder)  # noqa: S202  # what is committed to the project
    archive.unlink()


def _require_repository(root: Path, revision: str) -> None:
    if shutil.which("git") is None:
        raise RevisionError(
            f"revision {revision!r} is a matter of git, which is not installed", "install git"
        )
    done = _run(root, "rev-parse", "--show-prefix")
    if done.returncode:
        raise RevisionError(
            f"there is no revision {revision!r}, for {root} is not in a git repository that can be "
            f"read: {_last_line(done.stderr)}",
            "use a clone of the project; an archive of it has no revisions",
        )


def _hints(root: Path, revision: str) -> Iterator[str]:
    """Yield what could be meant by a revision that is not there, and why it may be missing."""
    start = re.split(r"[~^@]", revision)[0] or "HEAD"
    counted = _run(root, "rev-list", "--count", "--first-parent", "--end-of-options", start)
    if start != revision and not counted.returncode:
        behind = int(counted.stdout) - 1
        yield f"{start}{f'~{behind}' if behind else ''} is the oldest one"
    else:
        known = _run(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
        elsewhere = [each for each in known if each.endswith(f"/{start}")]
        meant = [*elsewhere, *difflib.get_close_matches(start, known, n=3)]
        if meant:
            yield f"did you mean {' or '.join(dict.fromkeys(meant))}?"
    if _is_shallow(root):
        yield _SHALLOW
    yield "`git log --oneline` shows the revisions, `git branch --all` and `git tag` their names"


def _is_shallow(root: Path) -> bool:
    return _run(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ("git", "-C", str(root), *arguments),  # noqa: S607  # git is found on the path
            env={**environment.of_process(os.environ), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RevisionError(f"git {arguments[0]} took longer than {SECONDS:g} s") from error


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "no reason is given")
