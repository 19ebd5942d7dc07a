"""Writes the page of the options of a side from the options themselves.

``python -m docs.site.options`` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from common import options
from common.options import Option

PAGE = Path(__file__).parents[1] / "options.md"
_HEAD = """# Options

What can be chosen for a side of a comparison, each independent of the others, as in
`testbed compare a a+lease=10`. [Sides](sides.md) explains how they are written,
`testbed options NAME` prints one of them. This page is written from the options themselves,
[one file each](../common/options), by `make generate`.

| option | values | default | what it sets |
|---|---|---|---|
"""


def text() -> str:
    """Return the page."""
    known = options.load().values()
    rows = "".join(
        f"| `{each.name}` | {_cell(each.values.words)} | {_cell(each.default)} | {each.about} |\n"
        for each in known
    )
    return _HEAD + rows + "".join(_section(each) for each in known if each.buys or each.costs)


def _section(option: Option) -> str:
    company = ", ".join(f"`{name}={value}`" for name, value in options.company(option).items())
    lines = {
        "Buys": option.buys,
        "Costs": option.costs,
        "Goes with": company,
        "Needs": ", ".join(option.services),
    }
    listed = "".join(f"- {title}: {words}\n" for title, words in lines.items() if words)
    return f"\n## {option.name}\n\n{option.about[0].upper()}{option.about[1:]}.\n\n{listed}"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
