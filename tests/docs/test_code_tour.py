"""The code tour, whose links have to show the lines that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site.tour import TOUR, TourError, refreshed

CODE = "import os\n\n\nclass Queue:\n    def put(self):\n        return 1\n\n    size = 0\n"


def test_every_link_of_the_tour_has_the_lines_of_the_definition_that_it_names() -> None:
    text = TOUR.read_text()

    assert refreshed(text, TOUR.parent) == text, "run `make generate`"


def test_the_tour_goes_through_both_designs() -> None:
    text = TOUR.read_text()

    for part in ("design_a/gateway.py", "design_a/servicers", "design_b/node.py", "common/flows"):
        assert f"../{part}" in text


def test_lines_follow_a_definition_that_moves(tmp_path: Path) -> None:
    tour = "[`Queue.put`](code.py#L1-L1) and [`Queue`](code.py)."
    (tmp_path / "code.py").write_text(CODE)
    assert refreshed(tour, tmp_path) == "[`Queue.put`](code.py#L5-L6) and [`Queue`](code.py#L4-L8)."

    (tmp_path / "code.py").write_text("\n\n" + CODE)
    assert (
        refreshed(tour, tmp_path) == "[`Queue.put`](code.py#L7-L8) and [`Queue`](code.py#L6-L10)."
    )


@pytest.mark.parametrize(
    "link", ["[`Queue.take`](code.py#L1-L1)", "[`Queue`](moved.py#L4-L8)", "[](code.py#L1-L1)"]
)
def test_a_definition_that_is_not_there_is_named(tmp_path: Path, link: str) -> None:
    (tmp_path / "code.py").write_text(CODE)

    with pytest.raises(TourError, match=r"take|moved\.py|no name|does not define"):
        refreshed(link, tmp_path)
