"""Links and anchors in everything that a reader of the project may open."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site.links import anchors, broken, links
from tests.support.stacks import ROOT

PAGES = sorted(
    page
    for pattern in (
        "*.md",
        ".github/**/*.md",
        "compose/**/*.md",
        "docs/**/*.md",
        "examples/*.md",
        "examples/*/*.md",
        "results/*.md",
    )
    for page in ROOT.glob(pattern)
)


def test_every_link_leads_to_a_file_and_every_anchor_into_it() -> None:
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= {page.name for page in PAGES}
    assert broken(ROOT, PAGES) == []


@pytest.mark.parametrize(
    ("link", "is_right"),
    [
        ("other.md", True),
        ("other.md#two-words-and-more", True),
        ("code.py#L2-L3", True),
        ("folder", True),
        ("#a-heading", True),
        ("https://example.com/absent.md", True),
        ("absent.md", False),
        ("other.md#in-a-block", False),
        ("code.py#L3-L4", False),
        ("code.py#L3-L2", False),
        ("code.py#name", False),
        ("../outside.md", False),
        ("#another", False),
    ],
)
def test_a_link_is_right_only_if_a_reader_who_follows_it_arrives(
    tmp_path: Path, link: str, is_right: bool
) -> None:
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "outside.md").write_text("# Outside\n")
    (root / "other.md").write_text("# Two `words`, and: more\n\n```\n# In a block\n```\n")
    (root / "code.py").write_text("1\n2\n3\n")
    page = root / "page.md"
    page.write_text(f"# A heading\n\nSee [what\nis meant]({link}).\n")

    assert anchors((root / "other.md").read_text()) == {"two-words-and-more"}
    assert (broken(root, [page]) == []) is is_right


def test_what_is_shown_as_code_is_no_link() -> None:
    text = "A `[link](a.md)` in code, [`code`](b.md) in a link.\n\n```\n[none](c.md)\n```\n"

    (found,) = links(text)

    assert (found.text, found.target) == ("`code`", "b.md")
    assert text[found.start : found.end] == "b.md"
