from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.record.calls import blank, mean_us


@settings(max_examples=20)
@given(st.lists(st.integers(1, 3_600_000_000), max_size=50))
def test_mean_of_a_histogram_is_the_one_that_the_library_steps_to(times_us: list[int]) -> None:
    histogram = blank()
    for each in times_us:
        histogram.record_value(each)
    assert mean_us(histogram) == histogram.get_mean_value()
