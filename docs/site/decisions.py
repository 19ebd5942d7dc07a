"""Keeps the index of the decisions: ``python -m docs.site.decisions`` writes its table anew."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "decisions"
INDEX = FOLDER / "README.md"
_HEAD = re.compile(
    r"# (?P<number>\d{4}) (?P<title>.+)\n\n"
    r"Date: (?P<date>\d{4}-\d\d-\d\d) · "
    r"Status: (?P<status>proposed|accepted|superseded by \[(?P<by>\d{4})\]\((?P=by)-[\w-]+\.md\))\n"
)
_TABLE = re.compile(r"^\| \|.*", re.DOTALL | re.MULTILINE)


class DecisionError(Exception):
    """A record does not begin as it has to; the message names it and says how."""


@dataclass(frozen=True)
class Decision:
    """The head of a record."""

    file: str
    number: str
    title: str
    date: str
    status: str


def read(folder: Path = FOLDER) -> list[Decision]:
    """Return all records in the order of their numbers. Raises :class:`DecisionError`."""
    return [_read(file) for file in sorted(folder.glob("[0-9]*.md"))]


def refreshed(index: str, decisions: list[Decision]) -> str:
    """Return the index with a table of these records at its end."""
    rows = [
        f"| [{each.number}]({each.file}) | {each.title} | {each.date} | {each.status} |"
        for each in decisions
    ]
    table = "\n".join(["| | decision | date | status |", "|---|---|---|---|", *rows, ""])
    return _TABLE.sub(lambda _: table, index)


def _read(file: Path) -> Decision:
    head = _HEAD.match(file.read_text(encoding="utf-8"))
    if head is None or not file.name.startswith(f"{head['number']}-"):
        raise DecisionError(
            f"{file.name} must begin with '# NUMBER TITLE', an empty line and "
            "'Date: YYYY-MM-DD · Status: accepted' (or proposed, or superseded by [NUMBER](FILE))"
        )
    return Decision(file.name, head["number"], head["title"], head["date"], head["status"])


if __name__ == "__main__":
    try:
        INDEX.write_text(refreshed(INDEX.read_text(encoding="utf-8"), read()), encoding="utf-8")
    except DecisionError as error:
        sys.exit(f"the index of the decisions cannot be written: {error}")
