"""Who is a member, who the home of a request id is, and who was it before."""

from __future__ import annotations

import pytest

from common.config import ConfigError
from design_b.membership import Membership, read

IDS = [f"request-{number}" for number in range(500)]


def members(count: int) -> dict[int, str]:
    return {number: f"host:{number}" for number in range(count)}


def grown() -> Membership:
    """Six nodes, and a seventh that has joined."""
    return read("", members(6)).with_member(6, "host:6").with_ring(range(7))


def test_a_node_that_joined_has_no_keys_before_it_is_in_the_ring() -> None:
    joined = read("", members(6)).with_member(6, "host:6")
    assert 6 in joined.members
    assert not joined.takes_jobs(6)
    assert 6 not in {joined.home_of(each) for each in IDS}
    assert 6 in {grown().home_of(each) for each in IDS}


def test_the_earlier_home_of_what_moved_is_asked_and_of_the_rest_there_is_none() -> None:
    before, after = read("", members(6)), grown()
    for each in IDS:
        moved = after.home_of(each) == 6
        assert [*after.earlier_homes(each)] == ([before.home_of(each)] if moved else [])


def test_of_several_earlier_homes_the_latest_is_asked_first_and_none_twice() -> None:
    shrunk = grown().with_ring(range(5))
    asked = {each: [*shrunk.earlier_homes(each)] for each in IDS}
    assert max(map(len, asked.values())) == 2
    for each, homes in asked.items():
        assert len({*homes, shrunk.home_of(each)}) == len(homes) + 1
        if shrunk.home_of(each) != grown().home_of(each):
            assert homes[0] == grown().home_of(each)


def test_a_node_that_leaves_is_asked_until_it_is_removed() -> None:
    leaving = grown().with_ring(range(6))
    was_home = [each for each in IDS if grown().home_of(each) == 6]
    assert all([*leaving.earlier_homes(each)] == [6] for each in was_home)
    removed = leaving.without_member(6)
    assert not any([*removed.earlier_homes(each)] for each in was_home)


def test_each_change_is_a_version() -> None:
    assert [read("", members(6)).version, grown().version] == [1, 3]


@pytest.mark.parametrize("membership", [read("", members(4)), grown(), grown().with_ring([0, 1])])
def test_a_membership_is_read_as_it_was_written(membership: Membership) -> None:
    found = read(membership.as_text(), membership.members)
    assert found == membership
    assert found.members == membership.members


@pytest.mark.parametrize("text", ["3", "x:0.1", "1:", "1:0.1/", "1:0.9", "1:0,1"])
def test_text_that_is_no_membership_of_these_nodes_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="TASKQUEUE_MEMBERSHIP"):
        read(text, members(3))
