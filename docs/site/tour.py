"""Keeps the line numbers of the code tour: ``python -m docs.site.tour`` writes them anew.

A link of the tour shows the name of a definition, ``[`submit`](../common/flows/submit.py#L33-L43)``
or ``Class.method``, and its anchor is the lines of that definition.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from docs.site.links import Link, links

TOUR = Path(__file__).parents[1] / "code-tour.md"


class TourError(Exception):
    """A link names a file or a definition that is not there."""


def refreshed(markdown: str, folder: Path) -> str:
    """Return the tour with the lines that its definitions have now; links start at ``folder``.

    Raises :class:`TourError` that names every link whose definition cannot be found.
    """
    problems: list[str] = []
    for link in reversed([each for each in links(markdown) if each.path.endswith(".py")]):
        try:
            first, last = _lines(link, folder)
        except TourError as error:
            problems.append(str(error))
            continue
        target = f"{link.path}#L{first}-L{last}"
        markdown = markdown[: link.start] + target + markdown[link.end :]
    if problems:
        raise TourError("; ".join(reversed(problems)))
    return markdown


def _lines(link: Link, folder: Path) -> tuple[int, int]:
    file, name = folder / link.path, link.text.strip("`")
    if not file.is_file():
        raise TourError(f"{name}: {link.path} does not exist")
    scope: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    found: ast.stmt | None = None
    for part in name.split("."):
        found = next((each for each in scope if getattr(each, "name", None) == part), None)
        if found is None:
            raise TourError(f"{link.path} does not define {name}")
        scope = getattr(found, "body", [])
    if found is None or found.end_lineno is None:
        raise TourError(f"{link.path}: the link shows no name")
    return found.lineno, found.end_lineno


if __name__ == "__main__":
    try:
        TOUR.write_text(refreshed(TOUR.read_text(encoding="utf-8"), TOUR.parent), encoding="utf-8")
    except TourError as error:
        sys.exit(f"the code tour cannot be refreshed: {error}")
