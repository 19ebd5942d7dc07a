"""The scripts that Redis runs, each made of what several have in common and of its own part."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

FOLDER = Path(__file__).parent / "scripts"
# Without it Redis would look for its limit of memory at each command, and end a script half-way.
_HEAD = "#!lua\n"

JOBS = {
    "create": ("jobs", "creating"),
    "transition": ("jobs", "stepping"),
    **dict.fromkeys(("get", "page", "cancel", "withdraw", "forget", "count"), ("jobs",)),
}
QUEUE = {
    "enqueue": ("queue", "enqueuing"),
    "dequeue": ("queue", "leasing"),
    **dict.fromkeys(("remove", "keep_out", "measure"), ("queue",)),
}
RESULTS = {"store": ("storing",)}
SHARED = {
    "accept": ("jobs", "creating", "queue", "enqueuing"),
    "exchange": ("jobs", "stepping", "storing", "queue", "leasing"),
}
"""Scripts by name, each with the files of what it has in common with others."""


def load(redis: Redis, names: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, AsyncScript]:
    """Return scripts by name."""
    return {
        name: redis.register_script(_HEAD + "".join(map(_read, (*parts, name))))
        for name, parts in names
    }


def _read(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
