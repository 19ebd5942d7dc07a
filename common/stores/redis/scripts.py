"""The scripts that Redis runs, each made of what its kind shares and its own part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

FOLDER = Path(__file__).parent / "scripts"
# Without it Redis would look for its limit of memory at each command, and end a script half-way.
_HEAD = "#!lua\n"

JOBS = ("create", "get", "page", "transition", "cancel", "withdraw", "forget", "count")
QUEUE = ("enqueue", "dequeue", "remove", "keep_out", "measure")
RESULTS = ("store",)


def load(redis: Redis, shared: str, names: Sequence[str]) -> dict[str, AsyncScript]:
    """Return scripts by name; ``shared`` is the file of what they have in common, or empty."""
    common = _read(shared) if shared else ""
    return {name: redis.register_script(_HEAD + common + _read(name)) for name in names}


def _read(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
