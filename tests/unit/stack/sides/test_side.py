"""How a side is written, and the errors for what is none."""

from __future__ import annotations

import pytest

from testbed.stack.sides.side import Side, SideError, labels


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("a", Side("a")),
        ("A", Side("a")),
        ("a+lease=10", Side("a", options={"lease": "10"})),
        ("a@HEAD~3", Side("a", revision="HEAD~3")),
        ("a@HEAD@{1}", Side("a", revision="HEAD@{1}")),
        ("b@feature/x+slots=24", Side("b", revision="feature/x", options={"slots": "24"})),
        ("127.0.0.1:6000", Side(addresses=("127.0.0.1:6000",))),
        ("[::1]:6000", Side(addresses=("[::1]:6000",))),
        ("h1:1,h2:2", Side(addresses=("h1:1", "h2:2"))),
        ("h:1+declaration=my.toml", Side(addresses=("h:1",), options={"declaration": "my.toml"})),
        ("a+x=y=z", Side("a", options={"x": "y=z"})),
    ],
)
def test_a_side_is_read_part_by_part(text: str, side: Side) -> None:
    read = Side.parse(text)
    assert read == side
    assert read.options == side.options


@pytest.mark.parametrize(
    "text", ["a", "a@HEAD~3+lease=10+slots=24", "h1:1,h2:2", "10.0.0.5:50051+declaration=x.toml"]
)
def test_a_side_that_was_read_is_written_as_it_was(text: str) -> None:
    assert str(Side.parse(text)) == text


def test_the_order_of_options_makes_no_other_side() -> None:
    assert str(Side.parse("a+slots=24+lease=10")) == "a+lease=10+slots=24"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "names no design"),
        ("+lease=3", "names no design"),
        ("@HEAD", "names no design"),
        ("a@", "names no revision"),
        ("a@+lease=3", "names no revision"),
        ("a+", "'' is no OPTION=VALUE"),
        ("a+lease", "'lease' is no OPTION=VALUE"),
        ("a+lease=", "'lease=' is no OPTION=VALUE"),
        ("a+=3", "'=3' is no OPTION=VALUE"),
        ("a+lease=3+lease=4", "gives option 'lease' twice"),
        ("host:", "'host:' is no HOST:PORT"),
        (":50051", "':50051' is no HOST:PORT"),
        ("host:99999", "'host:99999' is no HOST:PORT"),
        ("host:٣", "'host:٣' is no HOST:PORT"),
        ("::1:50051", "'::1:50051' is no HOST:PORT"),
        ("[::1:50051", "'[::1:50051' is no HOST:PORT"),
        ("http://h:1", "'http://h:1' is no HOST:PORT"),
        ("h 1:1", "'h 1:1' is no HOST:PORT"),
        ("h:1,", "'' is no HOST:PORT"),
        ("h:1,h:1", "names h:1 twice"),
        ("h:1@HEAD", "has no revision"),
    ],
)
def test_the_error_names_the_part_that_is_wrong(text: str, part: str) -> None:
    with pytest.raises(SideError, match="side ") as raised:
        Side.parse(text)
    assert part in str(raised.value)


@pytest.mark.parametrize("text", ["", " "])
def test_a_side_of_nothing_names_no_design_and_nothing_before_which_one_is_missing(
    text: str,
) -> None:
    with pytest.raises(SideError, match=r"names no design$"):
        Side.parse(text)


@pytest.mark.parametrize(
    ("sides", "names"),
    [
        (("a", "b"), ("A", "B")),
        (("a", "a"), ("A 1st", "A 2nd")),
        (("a", "a+lease=10"), ("a", "a+lease=10")),
        (("a", "b", "a"), ("A 1st", "B", "A 2nd")),
        (("a", "node"), ("A", "node")),
        (("b", "127.0.0.1:6000"), ("b", "127.0.0.1:6000")),
    ],
)
def test_each_side_has_a_label_of_its_own(sides: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert labels(sides) == names
