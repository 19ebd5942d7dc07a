"""Where searches begin: behind what is dead, and now and then at the beginning."""

from __future__ import annotations

import pytest

from common.stores.postgres import marks
from common.stores.postgres.marks import AFRESH, LAG, LowMark


class Time:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(marks, "time", clock)
    return clock


def test_a_search_begins_behind_what_was_dealt_with_a_while_ago(time: Time) -> None:
    low = LowMark(0)
    low.ended(low.begin())
    low.note(10)
    assert low.begin() == 0
    time.now += LAG + 0.01
    low.note(20)
    low.ended(low.begin())
    assert low.begin() == 10


def test_what_came_late_is_found_by_a_search_from_the_beginning(time: Time) -> None:
    low = LowMark(0)
    low.note(10)
    time.now += LAG + 0.01
    begins = []
    for _ in range(35):
        begins.append(low.begin())
        low.ended(begins[-1])
        time.now += AFRESH / 10
    assert begins[:11] == [0, *[10] * 9, 0] or begins[:12] == [0, *[10] * 10, 0]
    assert 3 <= begins.count(0) <= 4


def test_the_longer_a_search_takes_the_less_often_it_is_made(time: Time) -> None:
    low = LowMark(0)
    low.note(10)
    time.now += LAG + 0.01
    searches = 0
    end = time.now + 100
    while time.now < end:
        time.now += 0.1
        begin = low.begin()
        if begin == 0:
            searches += 1
            time.now += 0.2
        low.ended(begin)
    assert searches == 2
