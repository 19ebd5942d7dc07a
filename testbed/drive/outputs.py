"""Where results go: the folder of a run, made and tried out before anything is started."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from testbed.errors import TestbedError
from testbed.stack import records as stacks

NEEDED_BYTES = 200 << 20
LATEST = "latest"


class DiskFull(TestbedError):
    """The disk has too little room for an experiment."""


def new_folder(results: Path, name: str) -> Path:
    """Make ``results/<name>/<UTC>`` and return it.

    Raises :class:`DiskFull` on a full disk, :class:`TestbedError` if ``results/latest`` is no link
    that could point there in the end, and ``OSError`` if nothing can be written there, or to the
    state of stacks.
    """
    (results / name).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(results).free
    if free < NEEDED_BYTES:
        raise DiskFull(
            f"{results} has {free >> 20} MiB of free disk, {NEEDED_BYTES >> 20} MiB are needed",
            "remove old results or make room",
        )
    link = results / LATEST
    if link.exists() and not link.is_symlink():
        raise TestbedError(f"{link} is no link, and would have to be", "move it away")
    for folder in (results, results / name, results.parent / stacks.STATE):
        require_writable(folder)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = results / name / f"{stamp}{suffix}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise TestbedError(f"{results / name / stamp} and its like are taken")


def require_writable(folder: Path) -> None:
    """Make a folder, if there is none, and a file in it. Raises ``OSError`` if that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def point_latest(folder: Path) -> Path:
    """Let ``results/latest`` point to ``results/<name>/<UTC>``; return the link."""
    results = folder.parent.parent
    link = results / LATEST
    temporary = results / f".{LATEST}.{folder.name}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(results))
    temporary.replace(link)
    return link
