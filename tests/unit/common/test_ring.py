"""What share of keys moves when a ring grows or shrinks, and that all processes agree on it."""

from __future__ import annotations

from collections import Counter

import pytest

from common.ring import Ring

KEYS = [f"request-{number}" for number in range(20_000)]
SIZES = [4, 5, 6, 7]
# Of the first keys in a ring of six.
GOLDEN = [2, 2, 2, 5, 4, 4, 4, 1, 2, 5, 1, 1, 0, 5, 4, 1]


def names(count: int) -> list[str]:
    return [f"node-{number}" for number in range(count)]


def places(count: int) -> list[str]:
    ring = Ring(names(count))
    return [ring.member_of(key) for key in KEYS]


def moved(before: list[str], after: list[str]) -> set[tuple[str, str]]:
    return {pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]}


def share_moved(before: list[str], after: list[str]) -> float:
    return sum(old != new for old, new in zip(before, after, strict=True)) / len(KEYS)


@pytest.mark.parametrize("count", SIZES)
def test_keys_move_to_the_member_that_joins_and_to_no_other(count: int) -> None:
    joined = f"node-{count}"
    assert {new for _, new in moved(places(count), places(count + 1))} == {joined}


@pytest.mark.parametrize("count", SIZES)
def test_only_the_keys_of_a_member_that_leaves_move_and_all_others_get_some(count: int) -> None:
    left = f"node-{count}"
    pairs = moved(places(count + 1), places(count))
    assert {old for old, _ in pairs} == {left}
    assert {new for _, new in pairs} == {*names(count)}


@pytest.mark.parametrize("count", SIZES)
def test_about_one_key_in_so_many_moves_where_modulo_moves_nearly_all(count: int) -> None:
    fair = 1 / (count + 1)
    by_ring = share_moved(places(count), places(count + 1))
    by_modulo = sum(each % count != each % (count + 1) for each in range(20_000)) / 20_000
    assert 0.7 * fair < by_ring < 1.3 * fair
    assert by_modulo == pytest.approx(1 - fair, abs=0.01)


@pytest.mark.parametrize("count", [4, 6, 8])
def test_no_member_has_much_more_than_its_part(count: int) -> None:
    parts = Counter(places(count))
    assert len(parts) == count
    assert all(0.7 < part * count / len(KEYS) < 1.3 for part in parts.values())


def test_the_order_of_the_members_makes_no_difference() -> None:
    turned = Ring(reversed(names(6)))
    assert [turned.member_of(key) for key in KEYS] == places(6)


def test_every_process_computes_the_same_whatever_its_hash_seed() -> None:
    # Python hashes text differently in each process, this one too.
    homes = [int(each.removeprefix("node-")) for each in places(6)[:16]]
    assert homes == GOLDEN


def test_a_ring_without_members_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        Ring([])
