"""Writes ``summary.md``: the main metrics as a short Markdown table, for a job summary of CI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.report.numbers import NOTHING, listed, number, plural
from testbed.report.page import REPORT
from testbed.runs.compare.comparison import CellComparison, Comparison
from testbed.runs.compare.report import facts
from testbed.runs.compare.report.headlines import HEADLINES, short
from testbed.runs.compare.thresholds import Checked
from testbed.runs.compare.verdicts import Against, Judged

SUMMARY_MD = "summary.md"


def write(
    folder: Path,
    name: str,
    comparison: Comparison,
    plan: Mapping[str, Any],
    checked: Sequence[Checked],
) -> Path:
    """Write ``summary.md`` of the experiment ``name`` into ``folder`` and return its path."""
    path = folder / SUMMARY_MD
    lines = _lines(folder, name, comparison, plan, checked)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _lines(
    folder: Path,
    name: str,
    comparison: Comparison,
    plan: Mapping[str, Any],
    checked: Sequence[Checked],
) -> Iterator[str]:
    first = comparison.cells[0].labels if comparison.cells else ()
    yield f"### {name}: {_text(listed(list(first)))}" if first else f"### {name}"
    for cell in comparison.cells:
        yield ""
        if cell.name:
            yield f"**{_text(cell.name)}**"
            yield ""
        yield from _table(cell)
    yield ""
    yield _validity(comparison)
    said = [_text(line) for line in facts.lines(comparison, plan)]
    said += [f"{'met' if each.met else '**FAILED**'}: {_text(each.text)}" for each in checked]
    if said:
        yield ""
        yield from (f"- {each}" for each in said)
    yield ""
    yield f"The report: `{REPORT}` in `{folder.resolve().parent.name}/{folder.resolve().name}`."


def _table(cell: CellComparison) -> Iterator[str]:
    labels = [_text(label) for label in cell.labels]
    yield f"| | {labels[0]} | {' | '.join(f'{each} | verdict' for each in labels[1:])} |"
    yield f"|---|---:|{'---:|---|' * len(labels[1:])}"
    for metric in HEADLINES:
        row = cell.row(metric)
        if row is not None and row.is_judged:
            others = " | ".join(_other(row, each, labels) for each in row.against)
            yield f"| {row.metric.label}, {row.metric.unit} | {_figure(row, 0)} | {others} |"


def _other(row: Judged, against: Against, labels: Sequence[str]) -> str:
    ratio = against.ratio
    reach = f" ×{ratio.estimate:.2f} ({ratio.low:.2f}–{ratio.high:.2f})" if ratio else ""
    return f"{_figure(row, against.side)}{reach} | {short(against, labels)}"


def _figure(row: Judged, side: int) -> str:
    value = row.medians[side]
    return NOTHING if value is None else number(value)


def _validity(comparison: Comparison) -> str:
    void = sum(not trial.valid for trial in comparison.trials)
    parts = [f"{plural(comparison.blocks, 'block')}, {plural(len(comparison.trials), 'trial')}"]
    parts.append(f"{void} void" if void else "all valid")
    if comparison.missing:
        parts.append(f"**{len(comparison.missing)} planned without a valid attempt**")
    return f"{', '.join(parts)}. Ratios are to the first side, with 95 % intervals."


def _text(text: str) -> str:
    """Keep a text from being taken for Markdown."""
    return text.replace("|", "\\|")
