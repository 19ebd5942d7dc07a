"""Whether the figures can be believed: void trials, and what the load generator really did."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.record.calls import DELAY, Window, merge
from testbed.record.model import OPEN, LoadRecording, Second
from testbed.report.numbers import NOTHING, number, plural
from testbed.report.page import Block, Section, Table
from testbed.runs.compare.report.html.view import SeenTrial, View

LOST_SHOWN = 20
MILLI, MICRO = 1e3, 1e6


def void_section(view: View) -> Section:
    """Return the section of all trials that are in no figure, and of warnings."""
    void = [trial for trial in view.trials() if not trial.figures.valid]
    warned = [trial for trial in view.trials() if trial.figures.warnings and trial.figures.valid]
    missing = view.compared.missing
    total = sum(1 for _ in view.trials())
    intro = [
        f"{plural(len(void), 'trial')} of {total} {'is' if len(void) == 1 else 'are'} void, and "
        "in no figure of this report."
        if void
        else f"All {total} trials are valid."
    ]
    if missing:
        named = ", ".join(map(str, missing))
        intro.append(
            f"{plural(len(missing), 'planned trial')} {'has' if len(missing) == 1 else 'have'} no "
            f"valid attempt: {named}."
        )
    blocks = []
    if void:
        blocks.append(Block(table=_voids(view, void), wide=True))
    blocks += [block for trial in void if (block := _lost(trial))]
    if warned:
        rows = [(each.name, text) for each in warned for text in each.figures.warnings]
        table = Table(("Valid trial", "What to know of it"), rows)
        blocks.append(Block("Warnings", table=table, wide=True))
    return Section("void", "Void trials", "Void trials", intro, blocks)


def _voids(view: View, void: Sequence[SeenTrial]) -> Table:
    rows = [
        (
            each.name,
            "; ".join(each.figures.problems),
            "a later attempt is valid" if view.compared.replaced(each.figures) else "",
        )
        for each in void
    ]
    return Table(("Void trial", "Reason", ""), rows)


def _lost(trial: SeenTrial) -> Block | None:
    lost = trial.figures.lost
    if not lost:
        return None
    rows = [(job.job_id, job.problem) for job in lost[:LOST_SHOWN]]
    more = len(lost) - LOST_SHOWN
    text = [f"The first {LOST_SHOWN}; {more:,} more are in jobs.csv."] if more > 0 else []
    return Block(f"Lost in {trial.name}", text, table=Table(("Job", "Problem"), rows))


def generator_section(view: View) -> Section:
    """Return the section on what was offered, what was sent, and what the generator used."""
    driven = [trial for trial in view.trials() if trial.recorded.load is not None]
    is_open = OPEN in view.loops()
    if is_open:
        intro = [
            "Arrivals follow a schedule and wait for no answer. Latency counts from the moment at "
            "which a call was due, so a late send is part of it; send delay is that part alone. "
            "It voids a trial if it is more than the share of the response time that the plan "
            "allows (send_delay_share), and more than a generator with nothing else to do is late "
            "by (send_delay_floor_ms). Offered is what was due, achieved what was sent."
        ]
    else:
        intro = [
            "Closed loop: a user waits for an answer before the next call. A slower stack is asked "
            "less, and calls that a stall kept from being sent are in no percentile. There is no "
            "schedule to be late against, so offered equals achieved and there is no send delay."
        ]
    if not driven:
        intro = ["No trial was driven to its end, so there is nothing to say of the generator."]
        return Section("generator", "Generator", "The load generator", intro)
    columns = ["Trial", "offered, 1/s", "achieved, 1/s"]
    columns += ["missed", "dropped", "delay p50, ms", "delay p99, ms"] if is_open else []
    columns += ["CPU, cores", "worst second", "CPU per call, µs"]
    rows = [_row(trial, is_open) for trial in driven]
    table = Table(columns, rows, frozenset(range(1, len(columns))))
    return Section(
        "generator",
        "Generator",
        "What the load generator did",
        intro,
        [Block(table=table)],
        ["The generator has one core; above 0.9 of it in a tenth of the seconds, a trial is void."],
    )


def _row(trial: SeenTrial, is_open: bool) -> tuple[str, ...]:
    load, window = trial.measured()
    rows = load.in_window(window)
    seconds = max(len(rows), 1)
    due, sent = _sum(rows, "due"), _sum(rows, "sent")
    cpu = _sum(rows, "generator_cpu")
    ended = sum(row.ended for row in rows)
    cells = [trial.name, number(due / seconds), number(sent / seconds)]
    if is_open:
        missed = f"{max(0.0, 1 - sent / due):.2%}" if due else NOTHING
        cells += [missed, f"{_sum(rows, 'dropped'):,.0f}", *_delays(load, window)]
    worst = max((row.generator_cpu for row in rows), default=0.0)
    per_call = number(cpu * MICRO / ended) if ended else NOTHING
    return (*cells, number(cpu / seconds), number(worst), per_call)


def _sum(rows: Sequence[Second], name: str) -> float:
    return float(sum(getattr(row, name) for row in rows))


def _delays(load: LoadRecording, window: Window) -> tuple[str, str]:
    delays = merge(
        interval for call in load.calls.values() for _, interval in call.each_second(DELAY, window)
    )
    if not delays.get_total_count():
        return NOTHING, NOTHING
    p50, p99 = (number(delays.get_value_at_percentile(each) / MILLI) for each in (50, 99))
    return p50, p99
