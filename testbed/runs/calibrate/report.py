"""A calibration for a terminal, in plain words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from testbed.record.calls import RESPONSE
from testbed.record.calls import SERVICE as SERVICE_TIME
from testbed.record.files import write_json
from testbed.runs.calibrate import truth
from testbed.runs.calibrate.compare import ALLOWED_MS, PERCENTS, PercentileCheck, PhaseFigures
from testbed.runs.calibrate.plan import CLOSED_LOOP, SERVICE, STALLS, STEADY, CalibrationPlan

FORMAT = 1
CALIBRATION_JSON = "calibration.json"
SHOWN = "SubmitJob"


def write(
    folder: Path,
    plan: CalibrationPlan,
    provenance: Mapping[str, Any],
    figures: Sequence[PhaseFigures],
) -> Path:
    """Write ``calibration.json`` and return its path."""
    path = folder / CALIBRATION_JSON
    content = {
        "format": FORMAT,
        "agrees": all(each.agrees for each in figures),
        "verdict": list(verdict(plan, figures)),
        "plan": plan.as_data(),
        "stated_error_ms": {f"{percent:g}": ms for percent, ms in ALLOWED_MS.items()},
        "provenance": dict(provenance),
        "phases": {each.phase.name: _phase(each) for each in figures},
        "closed_loop_truth_ms": {
            f"{percent:g}": truth.closed_loop_percentile(
                SERVICE[SHOWN], plan.stall, plan.cycle, percent
            )
            for percent in PERCENTS
        },
    }
    write_json(path, content)
    return path


def _phase(figures: PhaseFigures) -> dict[str, Any]:
    return {
        "agrees": figures.agrees,
        "window": asdict(figures.window),
        "calls": figures.calls,
        "rate": figures.rate,
        "send_delay_ms": {f"{percent:g}": ms for percent, ms in figures.delay.items()},
        "generator_cpu_ms_per_call": figures.cpu_ms,
        "percentiles": [
            {**asdict(each), "error": each.error, "agrees": each.agrees} for each in figures.lines
        ],
        "checks": [asdict(each) for each in figures.checks],
    }


def table(figures: Sequence[PhaseFigures]) -> Table:
    """Lay out one row for each percentile: what is true, what is reported, the difference."""
    laid = Table(box=None, pad_edge=False, header_style="bold")
    laid.add_column("")
    for title in ("", "true", "reported", "95 % interval", "error", "", "stated"):
        laid.add_column(title, justify="right", no_wrap=True)
    laid.add_column("", no_wrap=True)
    for each in figures:
        laid.add_row(Text(f"{each.phase.name}: {each.phase.words()}", style="italic cyan"))
        before = ""
        for line in each.lines:
            title = f"  {line.method} {line.kind}"
            laid.add_row("" if title == before else title, *_cells(line))
            before = title
    return laid


def _cells(line: PercentileCheck) -> tuple[str | Text, ...]:
    return (
        f"p{line.percent:g}",
        f"{line.true:.2f}",
        f"{line.reported:.2f} ms",
        f"{line.low:.2f} – {line.high:.2f}",
        f"{line.error:+.2f} ms",
        f"{line.error_percent:+.1f} %",
        f"≤ {line.above:.1f}",
        Text("") if line.agrees else Text("DISAGREES", style="bold red"),
    )


def checks(figures: Sequence[PhaseFigures]) -> Iterator[Text]:
    """Give the counts of each phase, and what driving cost."""
    for each in figures:
        for check in each.checks:
            mark = "ok       " if check.agrees else "DISAGREES"
            yield Text(f"{mark} {each.phase.name}: {check.words}", "" if check.agrees else "red")
        late = ", ".join(f"p{percent:g} {ms:.2f} ms" for percent, ms in each.delay.items())
        late = f"sends late by {late}; " if late else ""
        yield Text(
            f"          {each.phase.name}: {late}generator CPU {each.cpu_ms:.2f} ms per call"
        )


def verdict(plan: CalibrationPlan, figures: Sequence[PhaseFigures]) -> Iterator[str]:
    """Say in plain words what the instrument adds, and whether it can be believed."""
    by_name = {each.phase.name: each for each in figures}
    added = {
        percent: max(each.error for each in lines)
        for percent in PERCENTS
        if (lines := _lines(by_name[STEADY], SERVICE_TIME, percent))
    }
    if 50.0 in added:
        tail = max(added)
        yield (
            f"On this machine, at {plan.rate:g} calls/s, the instrument with {plan.client} adds "
            f"{added[50.0]:.2f} ms at p50 and up to {added[tail]:.2f} ms at p{tail:g} to a call's "
            "service time; differences below that are its own."
        )
    if stalls := _stalls(plan, by_name[STALLS], by_name[CLOSED_LOOP]):
        yield stalls
    wrong = [
        f"{line.phase}, {line.method} {line.kind} p{line.percent:g}: {line.reported:.2f} ms "
        f"reported, {line.true:.2f} ms true"
        for each in figures
        for line in each.lines
        if not line.agrees
    ] + [f"{c.phase}: {c.words}" for each in figures for c in each.checks if not c.agrees]
    if wrong:
        yield "Do not believe what it measures here; it disagrees with the truth: " + "; ".join(
            wrong
        )
    else:
        yield "All that it reports agrees with the truth within its stated error; no call is lost."


def _stalls(plan: CalibrationPlan, opened: PhaseFigures, closed: PhaseFigures) -> str:
    for percent in sorted(PERCENTS, reverse=True):
        held = _lines(opened, RESPONSE, percent, SHOWN)
        waited = _lines(closed, SERVICE_TIME, percent, SHOWN)
        # Where even a closed loop meets the stall there is nothing to show.
        shows = truth.closed_loop_percentile(
            SERVICE[SHOWN], plan.stall, plan.cycle, percent
        ) < 0.5 * truth.open_loop_percentile(SERVICE[SHOWN], plan.stall, percent)
        if shows and held and waited:
            return (
                f"With stalls of {plan.stall.length:g} s it reports a p{percent:g} of "
                f"{held[0].reported:.0f} ms for {SHOWN} where {held[0].true:.0f} ms are true. A "
                f"closed loop of {closed.phase.users} users reports {waited[0].reported:.0f} ms "
                "for the same server: it does not send the calls that would have waited."
            )
    return ""


def _lines(
    figures: PhaseFigures, kind: str, percent: float, method: str | None = None
) -> list[PercentileCheck]:
    return [
        each
        for each in figures.lines
        if each.kind == kind and each.percent == percent and method in {None, each.method}
    ]
