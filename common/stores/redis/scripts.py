"""The scripts that Redis runs, each made of its own part and of what it shares with others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"

JOBS = ("create", "get", "page", "transition", "cancel", "withdraw", "forget", "count")
QUEUE = ("enqueue", "dequeue", "remove", "keep_out", "measure")
SHARED = ("accept", "exchange", "exchange_and_accept")


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the name under which Redis keeps it."""

    text: str
    sha: str


def load() -> dict[str, Script]:
    """Return all scripts by name."""
    jobs, queue, results, both = map(_read, ("jobs", "queue", "results", "shared"))
    return {
        **{name: _script(name, jobs) for name in JOBS},
        **{name: _script(name, queue) for name in QUEUE},
        **{name: _script(name, jobs + queue + results + both) for name in SHARED},
        "store": _script("store", results),
        "report": _script("report", ""),
    }


def _script(name: str, shared: str) -> Script:
    # Its first line makes that Redis looks for room before it begins, and never half-way; the flags
    # there except those that are needed to make room.
    head, _, own = _read(name).partition("\n")
    text = f"{head}\n{shared}{own}"
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
