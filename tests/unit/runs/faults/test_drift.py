"""What grows over a drive, of gauges that are known by heart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.record.metrics import MetricLog, read_metrics
from testbed.runs.faults.figures.drift import Drift, drifts

MIB = 1 << 20


def recorded(folder: Path, value_of: Callable[[int], float], restart: int = 0) -> list[Drift]:
    """Scrape a process a hundred times, 36 s apart; it is started again at scrape ``restart``."""
    with MetricLog(folder) as log:
        for number in range(100):
            started = 2000.0 if restart and number >= restart else 1000.0
            page = (
                f"process_start_time_seconds {started}\n"
                f"process_resident_memory_bytes {value_of(number)}\n"
                f"process_open_fds 20\n"
            )
            log.answered(36.0 * number, "gateway", 0.01, page)
        log.cost(36.0 * 100, 0.1)
    return list(drifts(read_metrics(folder)))


def test_a_steady_growth_is_its_own_slope(tmp_path: Path) -> None:
    memory, files = recorded(tmp_path, lambda number: 50 * MIB + number * MIB)
    assert (memory.process, memory.gauge, memory.unit) == ("gateway", "memory", "bytes")
    assert memory.per_hour == pytest.approx(100 * MIB)
    assert memory.last - memory.second == pytest.approx(50 * MIB, abs=MIB)
    assert (files.gauge, files.per_hour, files.second, files.last) == ("open files", 0, 20, 20)


def test_what_settles_is_flat_and_single_peaks_do_not_move_it(tmp_path: Path) -> None:
    memory, _ = recorded(
        tmp_path, lambda number: 90 * MIB if number % 25 == 7 else min(60, 40 + number) * MIB
    )
    assert memory.per_hour == 0
    assert memory.second == memory.last == 60 * MIB


def test_a_process_that_was_started_again_counts_from_there(tmp_path: Path) -> None:
    memory, _ = recorded(tmp_path, lambda number: (300 if number < 40 else 50) * MIB, restart=40)
    assert memory.per_hour == 0
    assert memory.seconds == 59 * 36
    assert memory.second == 50 * MIB


def test_too_few_scrapes_say_nothing(tmp_path: Path) -> None:
    assert recorded(tmp_path, lambda _: MIB, restart=95) == []
