"""Where a result comes from: commit, lock, versions, machine, command line."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from testbed.stack import environment
from testbed.stack.sides.resolve import Deployment

LOCK = "requirements.lock"
PACKAGES = (
    *("grpcio", "locust", "gevent", "hpack", "hyperframe", "uvloop", "protobuf", "hdrhistogram"),
)
GIT_SECONDS = 10.0


def collect(
    home: Path, arguments: Sequence[str], deployments: Sequence[Deployment] = ()
) -> dict[str, Any]:
    """Return the provenance of a run started now in the project at ``home``, as plain data.

    ``deployments`` are what its sides start: in it is what those run that are of a revision, and
    what is declared of those that are there already.
    """
    revisions = {str(each): found for each in deployments if (found := provenance_of(each))}
    declarations = {str(each): each.declaration.facts for each in deployments if each.declaration}
    return {
        **({"revisions": revisions} if revisions else {}),
        **({"declarations": declarations} if declarations else {}),
        "command": shlex.join(arguments),
        "git": git_state(home),
        "lock_sha256": sha256(home / LOCK),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": machine(),
        "environment": environment.on_purpose(os.environ),
    }


def provenance_of(deployment: Deployment) -> dict[str, Any]:
    """Return what a side runs that is of a revision, as plain data; nothing for any other side."""
    revision = deployment.revision
    if revision is None:
        return {}
    return {
        "commit": revision.commit,
        "subject": revision.subject,
        "lock_sha256": revision.lock_sha256 or None,
        "python": "its own" if revision.has_own_environment else "that of the testbed",
    }


def git_state(home: Path) -> dict[str, Any]:
    """Return the commit and whether tracked or new files differ from it; ``None`` without git."""
    commit = _git(home, "rev-parse", "HEAD")
    changes = _git(home, "status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def sha256(path: Path) -> str | None:
    """Return the hash of a file, ``None`` if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Describe this machine; ``load_average`` is of the last 1, 5 and 15 minutes."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "kernel": platform.release(),
        "load_average": [round(each, 2) for each in os.getloadavg()],
    }


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(home: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", "-C", str(home), *arguments),  # noqa: S607 - git is found on the path
            env=environment.of_process(os.environ),
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
