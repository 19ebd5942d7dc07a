from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from testbed.record.calls import Window
from testbed.record.damage import RecordingError
from testbed.record.metrics import METRICS, read_metrics


def page(total: float, **gauges: float) -> str:
    lines = ["# HELP calls_total Calls", "# TYPE calls_total counter"]
    lines.append(f'calls_total{{code="OK"}} {total}')
    lines.append('calls_total{code="ERROR"} 1.0')
    lines += [f"{name} {value}" for name, value in gauges.items()]
    return "\n".join(lines) + "\n"


def test_counter_is_interpolated_at_both_edges_of_a_window(record: Any) -> None:
    metrics = record({"one": [(10, page(0)), (20, page(100)), (30, page(400))]})
    assert metrics.increase("one", "calls_total", {"code": "OK"}, Window(15, 22)) == 50 + 60
    assert metrics.increase("one", "calls_total", {}, Window(10, 30)) == 400


def test_counter_stands_still_outside_of_its_scrapes(record: Any) -> None:
    metrics = record({"one": [(10, page(5)), (20, page(7))]})
    assert metrics.increase("one", "calls_total", {}, Window(0, 99)) == 2


def test_counter_that_falls_was_restarted_and_goes_on_from_zero(record: Any) -> None:
    metrics = record({"one": [(10, page(50)), (20, page(80)), (30, page(20)), (40, page(25))]})
    assert metrics.increase("one", "calls_total", {}, Window(10, 40)) == 30 + 20 + 5


def test_series_that_appears_later_began_at_zero(record: Any) -> None:
    late = page(0) + 'calls_total{code="LATE"} 8.0\n'
    metrics = record({"one": [(10, page(0)), (20, late)]})
    assert metrics.increase("one", "calls_total", {"code": "LATE"}, Window(10, 20)) == 8


def test_value_that_returns_to_an_earlier_one_is_not_lost(record: Any) -> None:
    scrapes = [(10, page(0, depth=0)), (11, page(0, depth=6)), (12, page(0, depth=0))]
    metrics = record({"one": scrapes})
    stretch = metrics.window("one", "depth", {}, Window(10, 12))
    assert (stretch.last, stretch.mean, stretch.max, stretch.scrapes) == (0, 2, 6, 3)
    assert metrics.window("one", "depth", {}, Window(10.5, 10.9)).mean is None


def test_gauges_of_processes_are_added_up_moment_by_moment(record: Any) -> None:
    metrics = record(
        {
            "one": [(10.00, page(0, depth=1)), (20.00, page(0, depth=9))],
            "two": [(10.02, page(0, depth=8)), (20.02, page(0, depth=1))],
        }
    )
    stretch = metrics.window(None, "depth", {}, Window(9, 21))
    assert (stretch.max, stretch.mean, stretch.last) == (10, 9.5, 10)


def test_process_that_does_not_answer_is_reported_and_the_rest_is_read(record: Any) -> None:
    metrics = record(
        {
            "one": [(10, page(0)), (20, None), (30, page(100))],
            "exited": [(10, None), (20, None), (30, None)],
        }
    )
    assert metrics.unanswered(Window(15, 40)) == {"one": 1, "exited": 2}
    assert metrics.increase(None, "calls_total", {"code": "OK"}, Window(10, 20)) == 50
    assert metrics.window("exited", "calls_total", {}, Window(10, 20)) is None
    assert metrics.window("unheard", "calls_total", {}, Window(10, 20)) is None
    assert metrics


def histogram_page(*below: float, total: float) -> str:
    bounds = ("0.1", "0.2", "+Inf")
    rows = zip(bounds, below, strict=True)
    lines = [f'took_bucket{{le="{bound}",method="M"}} {count}' for bound, count in rows]
    lines += [f'took_sum{{method="M"}} {total}', f'took_count{{method="M"}} {below[-1]}']
    return "\n".join(lines)


def test_histogram_of_a_window_is_the_difference_of_its_edges(record: Any) -> None:
    metrics = record(
        {
            "one": [
                (10, histogram_page(100, 100, 100, total=5)),
                (20, histogram_page(160, 198, 200, total=25)),
            ]
        }
    )
    found = metrics.histogram("one", "took", {"method": "M"}, Window(10, 20))
    assert found.counts == (60, 38, 2)
    assert (found.count, found.mean) == (100, pytest.approx(0.2))
    median = found.percentile(50)
    assert (median.low, median.high) == (0, 0.1)
    assert median.value == pytest.approx(0.1 * 50 / 60)
    assert (found.percentile(90).low, found.percentile(90).high) == (0.1, 0.2)
    last = found.percentile(99.5)
    assert (last.value, last.high) == (0.2, float("inf"))


def test_nothing_counted_has_neither_mean_nor_percentile(record: Any) -> None:
    same = histogram_page(1, 2, 3, total=4)
    metrics = record({"one": [(10, same), (20, same)]})
    found = metrics.histogram("one", "took", {}, Window(10, 20))
    assert (found.mean, found.percentile(50)) == (None, None)
    assert metrics.histogram("one", "other", {}, Window(10, 20)) is None


def test_labels_are_read_with_their_escapes(record: Any) -> None:
    metrics = record({"one": [(10, 'x{a="1,\\"b\\" c",d="e f"} 3.0')]})
    assert metrics.label_sets("one", "x") == [{"a": '1,"b" c', "d": "e f"}]


def test_only_what_changed_is_written_again(record: Any, tmp_path: Path) -> None:
    record({"one": [(10, page(1)), (20, page(2)), (30, page(2))]})
    with gzip.open(tmp_path / METRICS, "rt") as file:
        texts = [json.loads(line).get("text") for line in file]
    assert texts[1:3] == ['calls_total{code="OK"} 2', ""]
    assert read_metrics(tmp_path).scraper_cpu_seconds == 0.25


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=METRICS):
        read_metrics(tmp_path)
    with gzip.open(tmp_path / METRICS, "wt") as file:
        file.write('{"unix": 1, "process": "one", "text": "x 1"}\n')
    with pytest.raises(RecordingError, match=METRICS):
        read_metrics(tmp_path)
