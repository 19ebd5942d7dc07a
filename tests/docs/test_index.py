"""What lists other things: the index of pages, that of decisions, the changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from docs.site import decisions, options
from docs.site.decisions import DecisionError
from docs.site.links import links
from tests.support.stacks import ROOT

DOCS = ROOT / "docs"


def test_the_index_lists_every_page_once() -> None:
    listed = [link.path for link in links((DOCS / "README.md").read_text())]

    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"} | {"decisions/README.md"}
    assert sorted(each for each in listed if not each.startswith("../")) == sorted(pages)


def test_the_decisions_are_listed_in_order_with_date_and_status() -> None:
    index = decisions.INDEX.read_text()

    assert index == decisions.refreshed(index, decisions.read()), "run `make generate`"


def test_the_page_of_options_is_what_the_options_say() -> None:
    assert options.PAGE.read_text() == options.text(), "run `make generate`"


def test_numbers_of_decisions_are_given_once_and_dates_never_run_backwards() -> None:
    records = decisions.read()

    assert len({each.number for each in records}) == len(records)
    dates = [each.date for each in records]
    assert dates == sorted(dates)


@pytest.mark.parametrize(
    "head",
    [
        "# 0001 No date\n\n**Decision.** None.\n",
        "# 0001 Odd status\n\nDate: 2026-11-22 · Status: done\n",
        "# 0002 Another number\n\nDate: 2026-11-22 · Status: accepted\n",
    ],
)
def test_a_record_without_number_date_and_status_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "0001-record.md").write_text(head)

    with pytest.raises(DecisionError, match=r"0001-record\.md"):
        decisions.read(tmp_path)


def test_the_changelog_begins_with_unreleased_and_then_the_version_of_the_package() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} — \d{{4}}-\d\d-\d\d", headings[1])
