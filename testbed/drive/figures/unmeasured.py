"""What of a trial was to be measured and was not: figures of the rest would be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from testbed.record.calls import Window
from testbed.record.model import EXTERNAL, STACK, TrialRecording

# A container is read every second, so its first and last sample may lie that far within the window.
EDGE_SECONDS = 1.0


def unmeasured(trial: TrialRecording, window: Window) -> Iterator[str]:
    """Give every measurement of the stack that was not made in a window of a complete trial.

    Of a server that was there already none was to be made.
    """
    if trial.header.runtime == EXTERNAL:
        return
    yield from _samples(trial, window)
    for process in trial.header.scraped:
        series = trial.metrics.by_process.get(process)
        if series is None or not series.times:
            yield f"the metrics of {process} were never read"


def _samples(trial: TrialRecording, window: Window) -> Iterator[str]:
    """CPU is read between samples, and stands still beyond the first and the last of them."""
    times: dict[str, list[float]] = defaultdict(list)
    for row in trial.resources:
        if row.role == STACK:
            times[row.process].append(row.unix)
    if not times and not trial.header.processes:
        yield "CPU and memory of the stack were not sampled"
    for process in dict.fromkeys((*trial.header.processes, *times)):
        found = times.get(process)
        if not found:
            yield f"CPU and memory of {process} were not sampled"
            continue
        late, early = min(found) - window.from_unix, window.to_unix - max(found)
        if max(late, early) > EDGE_SECONDS:
            yield (
                f"CPU and memory of {process} were not sampled in the first {max(late, 0):.1f} s "
                f"and the last {max(early, 0):.1f} s of the window"
            )
