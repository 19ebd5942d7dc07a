"""The end of a log, for those who want to know why a process ended."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 12


def log_tail(path: str, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log file, indented, or a note that there is nothing in it."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        text = []
    return "\n".join(f"  {line}" for line in text[-lines:]) or "  (nothing was logged)"
