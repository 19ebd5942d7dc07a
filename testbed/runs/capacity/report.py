"""A capacity run for a terminal, as JSON and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table
from rich.text import Text

from testbed.drive.figures.validity import PERCENTILES
from testbed.record.files import write_json
from testbed.report.numbers import listed
from testbed.runs.capacity.judge import sent_late
from testbed.runs.capacity.plan import CapacityPlan
from testbed.runs.capacity.search import DriveVerdict, Search, SearchOutcome
from testbed.runs.capacity.session import CapacityResult, SearchStep
from testbed.stack.sides.side import headline, label
from testbed.stats import Interval, UslFit

FORMAT = 1
CAPACITY_JSON, STEPS_CSV, SWEEP_CSV = "capacity.json", "steps.csv", "sweep.csv"
_STYLES = {DriveVerdict.HELD: "green", DriveVerdict.FAILED: "red", DriveVerdict.VOID: "yellow"}
STEP_COLUMNS = (
    "step",
    "side",
    "stage",
    "rate",
    "told",
    "reason",
    "sent_per_second",
    "answered_per_second",
    "error_share",
    "backlog_growth_per_second",
    *map(sent_late, PERCENTILES),
)


def write(
    folder: Path,
    plan: CapacityPlan,
    provenance: Mapping[str, Any],
    result: CapacityResult,
    complete: bool,
) -> Path:
    """Write ``capacity.json``, ``steps.csv`` and ``sweep.csv``; return the path of the first."""
    path = folder / CAPACITY_JSON
    content = {
        "format": FORMAT,
        "complete": complete,
        "plan": plan.as_data(),
        "provenance": dict(provenance),
        "sides": {side: _side(side, result) for side in result.searches},
        "steps": [
            {
                "side": each.side,
                "stage": each.stage,
                "rate": each.rate,
                "told": each.judgement.verdict,
                "reason": each.judgement.reason,
                "figures": each.judgement.figures,
            }
            for each in result.steps
        ],
        "sweep": [
            {
                "side": each.side,
                "users": each.users,
                "calls_per_second": each.calls_per_second,
                "told": each.judgement.verdict,
                "reason": each.judgement.reason,
            }
            for each in result.points
        ],
    }
    write_json(path, content)
    _write_csv(folder / STEPS_CSV, STEP_COLUMNS, _step_rows(result))
    sweep = (
        (each.side, each.users, _cell(each.calls_per_second), each.judgement.reason)
        for each in result.points
    )
    _write_csv(folder / SWEEP_CSV, ("side", "users", "calls_per_second", "note"), sweep)
    return path


def steps_table(result: CapacityResult) -> Table:
    """Lay out every step in the order in which it was driven."""
    laid = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("side", "left"), ("stage", "left"), ("calls/s", "right")):
        laid.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    laid.add_column("", no_wrap=True)
    laid.add_column("because")
    for each in result.steps:
        verdict = each.judgement.verdict
        laid.add_row(
            label(each.side),
            str(each.stage),
            f"{each.rate:.1f}",
            Text(str(verdict), _STYLES[verdict]),
            Text(each.judgement.reason),
        )
    return laid


def sweep_table(sides: Sequence[str], result: CapacityResult) -> Table:
    """Lay out the throughput of each side by the number of users: median of what counts."""
    laid = Table(box=None, pad_edge=False, header_style="bold")
    laid.add_column("users", justify="right")
    for side in sides:
        laid.add_column(f"{label(side)} calls/s", justify="right", no_wrap=True)
        laid.add_column("law", justify="right", style="dim", no_wrap=True)
    fits = {side: result.fit(side) for side in sides}
    for users in sorted({each.users for each in result.points}):
        cells = []
        for side in sides:
            points = [e for e in result.points if (e.side, e.users) == (side, users)]
            rates = [rate for each in points if (rate := each.calls_per_second) is not None]
            fit = fits[side]
            cells += [
                f"{median(rates):.0f}" if rates else "void" if points else "",
                f"{fit.predict(users):.0f}" if fit else "",
            ]
        laid.add_row(str(users), *cells)
    return laid


def verdicts(plan: CapacityPlan, result: CapacityResult) -> Iterator[str]:
    """Say in plain words what each side holds, and how it scales."""
    for side, search in result.searches.items():
        yield _capacity(side, search, plan, result)
    yield from _included(result)
    for side in result.searches:
        yield from _law(side, result)


def _capacity(side: str, search: Search, plan: CapacityPlan, result: CapacityResult) -> str:
    name = headline(side)
    held, failed = search.held, search.failed
    if held is None:
        if search.outcome is SearchOutcome.NEVER:
            return f"{name} does not hold the objective even at {plan.search.least:g} calls/s."
        if search.outcome is SearchOutcome.NOTHING:
            return _nothing(name, [each for each in result.steps if each.side == side])
        return f"{name}: no rate has been confirmed to hold; there is no result."
    yes, of = search.votes(held)
    confirmed = f" ({yes} of {of} confirming drives held)" if of else ""
    if search.outcome is SearchOutcome.FOUND:
        assert failed is not None
        no, tries = search.votes(failed)
        return (
            f"{name} holds {held:.0f} calls/s{confirmed} and does not hold {failed:.0f} "
            f"({tries - no} of {tries} drives failed)."
        )
    if search.outcome is SearchOutcome.AT_LEAST:
        return f"{name} holds {held:.0f} calls/s, the highest rate that was tried."
    if search.outcome is SearchOutcome.GENERATOR:
        return (
            f"{name} holds {held:.0f} calls/s{confirmed}. Above that the load generator is the "
            f"limit, not the side: at {failed or 0:.0f} calls/s its drives are void. This is no "
            "capacity; more cores, or a generator on another machine, would show it."
        )
    upper = f" and {failed:.0f}" if failed is not None else ""
    return f"{name}: not confirmed, the search was cut short between {held:.0f}{upper} calls/s."


def _nothing(name: str, steps: Sequence[SearchStep]) -> str:
    """Say why a search ended at void drives without a rate that holds, and what helps."""
    void = [each for each in steps if each.judgement.verdict is DriveVerdict.VOID]
    rates = listed([f"{rate:.3g}" for rate in dict.fromkeys(each.rate for each in void)])
    return (
        f"{name}: no figure. The drives at {rates} calls/s are void, the last because "
        f"{void[-1].judgement.reason}. There the load generator decided what was measured, which "
        "says nothing of the side. What helps: take other work off the machine, or drive from "
        "another one; an objective that is not close to what the generator itself adds (testbed "
        "calibrate says how much that is here); a lower --first, if one generator cannot make so "
        "many calls."
    )


def _included(result: CapacityResult) -> Iterator[str]:
    """Say what response times include, with what it was where an objective was held."""
    held = [
        each.judgement.figures
        for each in result.steps
        if each.judgement.verdict is DriveVerdict.HELD
    ]
    names = {percent: sent_late(percent) for percent in PERCENTILES}
    most = [
        f"{max(late):.2f} ms at p{percent}"
        for percent, name in names.items()
        if (late := [figures[name] for figures in held if name in figures])
    ]
    if most:
        yield (
            "Response times begin when a call was due, so they include the time by which the load "
            f"generator sent it late: at most {' and '.join(most)} in the drives that held. No "
            "side is slower than they say."
        )


def _law(side: str, result: CapacityResult) -> Iterator[str]:
    points = [each for each in result.points if each.side == side]
    if not points:
        return
    void = sum(each.calls_per_second is None for each in points)
    left_out = f" {void} void drives are left out." if void else ""
    fit = result.fit(side)
    if fit is None:
        yield (
            f"{headline(side)}: too few points for the scalability law, which takes four "
            f"different numbers of users.{left_out}"
        )
        return
    peak = "It has no peak within reach of the data."
    if fit.peak_load is not None and fit.peak_throughput is not None:
        beyond = ", beyond what was measured" if fit.extrapolated else ""
        peak = (
            f"It peaks at {fit.peak_load.estimate:.0f} users with "
            f"{_interval(fit.peak_throughput, '.0f')} calls/s{beyond}."
        )
    yield (
        f"{headline(side)} by the Universal Scalability Law: "
        f"{_interval(fit.lambda_, '.0f')} calls/s with one user, contention "
        f"{_interval(fit.sigma, '.3f')}, coherency {_interval(fit.kappa, '.4f')}; the points lie "
        f"{fit.error:.0%} off the curve. {peak}{left_out}"
    )


def _interval(value: Interval, form: str) -> str:
    return f"{value.estimate:{form}} [{value.low:{form}}, {value.high:{form}}]"


def _side(side: str, result: CapacityResult) -> dict[str, Any]:
    search = result.searches[side]
    return {
        "outcome": search.outcome,
        "held": search.held,
        "not_held": search.failed,
        "confirmed": None if search.held is None else search.votes(search.held),
        "usl": _fit(result.fit(side)),
    }


def _fit(fit: UslFit | None) -> dict[str, Any] | None:
    return None if fit is None else asdict(fit)


def _step_rows(result: CapacityResult) -> Iterator[tuple[object, ...]]:
    for number, each in enumerate(result.steps, start=1):
        figures = each.judgement.figures
        yield (
            number,
            each.side,
            each.stage,
            f"{each.rate:.6g}",
            each.judgement.verdict,
            each.judgement.reason,
            *(_cell(figures.get(name)) for name in STEP_COLUMNS[6:]),
        )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _write_csv(path: Path, columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
