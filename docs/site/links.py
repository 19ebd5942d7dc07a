"""Finds the links in Markdown, and says which of them lead nowhere. Standard library alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)`*\s*$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?P<ticks>`+)(?:(?!\n\n).)+?(?P=ticks)", re.DOTALL)
_LINK = re.compile(r"!?\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(?P<text>.*?)\s*#*$", re.MULTILINE)
_LINES = re.compile(r"L(?P<first>\d+)(?:-L(?P<last>\d+))?\Z")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """A link in a text: what it shows, where it leads, and where the target stands in the text."""

    text: str
    target: str
    start: int
    end: int

    @property
    def path(self) -> str:
        """The target without its anchor."""
        return self.target.partition("#")[0]

    @property
    def anchor(self) -> str:
        """What follows the ``#``."""
        return self.target.partition("#")[2]


def links(markdown: str) -> Iterator[Link]:
    """Iterate over the links that lead to a file, in order; code is none."""
    plain = _CODE.sub(_blank, _FENCED.sub(_blank, markdown))
    for match in _LINK.finditer(plain):
        if not _ELSEWHERE.match(match["target"]):
            start, end = match.span("target")
            yield Link(markdown[slice(*match.span("text"))], match["target"], start, end)


def anchors(markdown: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    without_code = _FENCED.sub(_blank, markdown)
    return {slug(match["text"]) for match in _HEADING.finditer(without_code)}


def slug(heading: str, separator: str = "-") -> str:
    """Return the anchor of a heading: also what Python-Markdown asks for a ``slugify``."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def broken(root: Path, files: Iterable[Path]) -> list[str]:
    """Return a sentence for each link of the files that leads nowhere or out of ``root``."""
    return [
        f"{file.relative_to(root)}: {link.target} {problem}"
        for file in files
        for link in links(file.read_text(encoding="utf-8"))
        if (problem := _problem(root, file, link))
    ]


def _problem(root: Path, file: Path, link: Link) -> str:
    target = (file.parent / link.path).resolve() if link.path else file
    if not target.is_relative_to(root):
        return "leads out of the project"
    if not target.exists():
        return "does not exist"
    if not link.anchor:
        return ""
    if target.suffix == ".md":
        known = anchors(target.read_text(encoding="utf-8"))
        return "" if link.anchor in known else f"names none of its headings: {sorted(known)}"
    match = _LINES.match(link.anchor)
    if match is None or not target.is_file():
        return "has an anchor that is no line"
    number = len(target.read_text(encoding="utf-8").splitlines())
    inside = 1 <= int(match["first"]) <= int(match["last"] or match["first"]) <= number
    return "" if inside else f"names lines that it does not have: it has {number}"


def _blank(match: re.Match[str]) -> str:
    """Keep every position in the text: what is left out becomes something that is no link."""
    return re.sub(r"[^\n]", "\0", match[0])
