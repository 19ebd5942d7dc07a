"""Recordings of scrapes with known contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from testbed.record.metrics import MetricLog, read_metrics
from testbed.record.series import MetricSeries

Pages = Mapping[str, Sequence[tuple[float, str | None]]]


@pytest.fixture
def record(tmp_path: Path) -> Callable[[Pages], MetricSeries]:
    """Writes pages (``None``: no answer) by process and time, and reads them back."""

    def make(pages: Pages) -> MetricSeries:
        with MetricLog(tmp_path) as log:
            for process, scrapes in pages.items():
                for unix, page in scrapes:
                    if page is None:
                        log.failed(unix, process, "ConnectionRefusedError: refused")
                    else:
                        log.answered(unix, process, 0.002, page)
            log.cost(99.0, 0.25)
        return read_metrics(tmp_path)

    return make
