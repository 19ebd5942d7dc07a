"""CPU time and memory over a window."""

from __future__ import annotations

import pytest

from testbed.drive.figures import resources
from testbed.record.model import (
    GENERATOR,
    STACK,
    ResourceRow,
    Window,
)


def test_cpu_is_interpolated_at_the_edges_of_the_window() -> None:
    rows = [
        ResourceRow(unix, STACK, "one", cpu, 0)
        for unix, cpu in ((0, 10), (4, 14), (8, 22), (9, 22))
    ]
    # At 2 s the counter stood at 12, at 6 s at 18.
    assert resources.cpu_seconds(rows, STACK, Window(2, 6)) == pytest.approx(6)


def test_cpu_of_all_processes_of_a_role_is_added_and_others_are_left_out() -> None:
    rows = [
        ResourceRow(unix, role, name, unix * rate, 0)
        for unix in range(11)
        for role, name, rate in ((STACK, "one", 0.5), (STACK, "two", 0.25), (GENERATOR, "g", 9))
    ]
    assert resources.cpu_seconds(rows, STACK, Window(2.5, 4.5)) == pytest.approx(1.5)


def test_counter_stands_still_outside_its_samples() -> None:
    rows = [ResourceRow(unix, STACK, "one", unix, 0) for unix in (3.0, 4.0)]
    assert resources.cpu_seconds(rows, STACK, Window(0, 10)) == pytest.approx(1)
    assert resources.cpu_seconds(rows, GENERATOR, Window(0, 10)) is None


def test_peak_memory_is_of_one_moment_not_a_sum_of_peaks() -> None:
    rows = [
        ResourceRow(0, STACK, "one", 0, 10),
        ResourceRow(0, STACK, "two", 0, 1),
        ResourceRow(1, STACK, "one", 0, 2),
        ResourceRow(1, STACK, "two", 0, 7),
    ]
    assert resources.peak_rss(rows, STACK) == 11
