"""What a fault of a link may hold, and the fates that are drawn under it."""

from __future__ import annotations

import math

import pytest

from common.links.fault import NONE, CallFaultSampler, Delay, LinkFault
from common.links.wire import fault_from, fault_to


def test_fault_that_does_nothing_is_none() -> None:
    assert not NONE
    assert not LinkFault(seed=7, repeat_within=3)
    for some in (
        LinkFault(lose_requests=True),
        LinkFault(lose_answers=True),
        LinkFault(delay_requests=Delay(random=1)),
        LinkFault(delay_answers=Delay(fixed=1)),
        LinkFault(repeat_part=0.1),
    ):
        assert some


@pytest.mark.parametrize("part", [-0.1, 1.1, math.nan])
def test_part_of_calls_that_is_no_part_is_refused(part: float) -> None:
    with pytest.raises(ValueError, match="not 0 to 1"):
        LinkFault(repeat_part=part)


@pytest.mark.parametrize("seconds", [-1.0, 3601.0, math.nan, math.inf])
def test_time_that_is_out_of_range_is_refused(seconds: float) -> None:
    for made in (
        lambda: Delay(fixed=seconds),
        lambda: Delay(random=seconds),
        lambda: LinkFault(repeat_within=seconds),
    ):
        with pytest.raises(ValueError, match="not 0 to 3600"):
            made()


def test_message_says_all_of_a_fault() -> None:
    fault = LinkFault(True, True, Delay(0.25, 0.5), Delay(1.0, 2.0), 0.75, 1.5, 42)
    assert fault_from(fault_to(fault)) == fault
    assert fault_from(fault_to(NONE)) == NONE


def test_equal_seeds_draw_equal_fates_and_others_do_not() -> None:
    def fates(seed: int) -> list[object]:
        sampler = CallFaultSampler(
            LinkFault(delay_requests=Delay(0.1, 0.2), repeat_part=0.5, seed=seed)
        )
        return [sampler.draw() for _ in range(50)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)


def test_what_is_drawn_stays_within_what_the_fault_says() -> None:
    sampler = CallFaultSampler(
        LinkFault(False, False, Delay(0.1, 0.2), Delay(0.0, 0.4), 0.25, 2.0, seed=3)
    )
    fates = [sampler.draw() for _ in range(4000)]
    assert all(0.1 <= each.request_delay < 0.3 for each in fates)
    assert all(0.0 <= each.answer_delay < 0.4 for each in fates)
    again = [each.repeat_after for each in fates if each.repeat_after is not None]
    assert all(0 <= after < 2.0 for after in again)
    # Four standard deviations around a quarter.
    assert abs(len(again) - 1000) < 4 * math.sqrt(4000 * 0.25 * 0.75)
