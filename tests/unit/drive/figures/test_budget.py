"""What processes use of the CPU they are limited to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.drive.figures import budget, inside
from testbed.drive.figures.trial import analyse
from testbed.record.model import (
    STACK,
)


def budgeted(make: Any, **throttled: float) -> Any:
    """A trial of two processes with half a core each, throttled for these shares of the time."""
    rows = tuple(
        replace(
            row,
            throttled_seconds=throttled[row.process] * (row.unix - 990),
            periods=round(10 * (row.unix - 990)),
            throttled_periods=round(5 * (row.unix - 990)),
        )
        if row.role == STACK
        else row
        for row in make.trial().resources
    )
    limits = {"cpus": 0.5, "memory_bytes": 200 << 20}
    header = make.header(budget={"one": limits, "two": limits})
    return make.trial(header=header, resources=rows)


def test_use_of_a_budget_is_that_of_the_window(make: Any) -> None:
    trial = budgeted(make, one=0.5, two=0.0)
    one, two = budget.uses(trial, trial.load.after_nominal)
    assert (one.process, one.cpu_limit_cores, one.memory_limit_bytes) == ("one", 0.5, 200 << 20)
    assert (one.cpu_cores, two.cpu_cores) == (pytest.approx(0.2), pytest.approx(0.3))
    assert (one.cpu_share, two.cpu_share) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (one.throttled_share, two.throttled_share) == (pytest.approx(0.5), 0)
    assert one.throttled_periods_share == pytest.approx(0.5, abs=0.01)
    assert (one.memory_peak_bytes, one.memory_share) == (100 << 20, 0.5)
    assert (one.held_back, two.held_back) == (True, False)


def test_process_without_a_limit_has_no_share_of_it(make: Any) -> None:
    trial = make.trial()
    one, _ = budget.uses(trial, trial.load.after_nominal)
    assert one.cpu_cores == pytest.approx(0.2)
    shares = (one.cpu_share, one.memory_share, one.throttled_share, one.throttled_periods_share)
    assert shares == (None, None, None, None)
    assert not one.held_back


@pytest.mark.parametrize(("share", "warned"), [(0.06, True), (0.04, False)])
def test_process_that_is_throttled_much_is_warned_of(make: Any, share: float, warned: bool) -> None:
    warnings = analyse(budgeted(make, one=share, two=0.0)).warnings
    assert any("throttled by the CPU limit" in each and "one 6%" in each for each in warnings) is (
        warned
    )


def test_tidy_rows_have_the_use_of_a_budget_where_there_is_one(make: Any) -> None:
    def figures(trial: Any) -> dict[str, float | None]:
        rows = inside.rows(trial, trial.load.after_nominal)
        return {row.metric: row.value for row in rows if row.process == "one"}

    found = figures(budgeted(make, one=0.5, two=0.0))
    assert found["cpu_limit_cores"] == 0.5
    assert found["cpu_limit_share"] == pytest.approx(0.4)
    assert found["throttled_share"] == pytest.approx(0.5)
    assert found["throttled_periods_share"] == pytest.approx(0.5, abs=0.01)
    assert (found["memory_limit_mib"], found["memory_limit_share"]) == (200, 0.5)
    assert figures(make.trial()).keys() == {"cpu_cores", "cpu_ms_per_job", "rss_max_mib"}
