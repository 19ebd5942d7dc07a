"""Writes how an experiment did as ``junit.xml``, so that CI shows it like tests.

The suite ``trials`` has a case for each planned trial, which fails without a valid attempt. The
suite ``thresholds`` has a case for each bound of the plan in each cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from testbed.drive.figures.trial import TrialFigures
from testbed.record.damage import naming
from testbed.record.typed import typed
from testbed.runs.compare import thresholds
from testbed.runs.compare.comparison import Comparison
from testbed.runs.compare.thresholds import Checked, Threshold
from testbed.runs.compare.verdicts import cell_name

JUNIT_XML = "junit.xml"
# What XML 1.0 cannot hold; a message of a process may.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """A case: it failed if ``problem`` says how. ``seconds`` is how long it took."""

    name: str
    problem: str = ""
    detail: str = ""
    seconds: float = 0.0


def check(
    comparison: Comparison, plan: Mapping[str, Any], source: str = "the recorded plan"
) -> tuple[Checked, ...]:
    """Hold the thresholds of a plan that was recorded in ``source`` against every cell.

    Raises :class:`RecordingError` if the plan's record of them cannot be read.
    """
    with naming(source):
        given: list[Threshold] = typed(
            plan.get("thresholds", []), list[Threshold], "plan.thresholds"
        )
    return thresholds.check(comparison, given)


def write(
    folder: Path, name: str, comparison: Comparison, checked: Sequence[Checked], needed: set[int]
) -> Path:
    """Write ``junit.xml`` of the experiment ``name`` into ``folder`` and return its path.

    ``needed`` are the numbers of the planned trials.
    """
    root = ElementTree.Element("testsuites", name=_clean(name))
    _suite(root, f"{name}.trials", list(_trials(comparison, needed)))
    _suite(root, f"{name}.thresholds", [_threshold(each) for each in checked])
    ElementTree.indent(root)
    path = folder / JUNIT_XML
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _trials(comparison: Comparison, needed: set[int]) -> Iterator[Case]:
    attempts: dict[int, list[TrialFigures]] = {}
    for trial in comparison.trials:
        attempts.setdefault(trial.header.number, []).append(trial)
    for number in sorted(needed | set(attempts)):
        tried = attempts.get(number, [])
        if not tried:
            yield Case(f"trial {number}", "did not run")
            continue
        problems = [problem for each in tried if not each.valid for problem in each.problems]
        good = any(each.valid for each in tried)
        seconds = sum(sum(each.header.phases.values()) for each in tried)
        yield Case(
            _name(tried[0], comparison),
            "" if good else f"no valid attempt: {_line(problems[-1]) if problems else 'void'}",
            "\n".join(problems),
            seconds,
        )


def _name(trial: TrialFigures, comparison: Comparison) -> str:
    header = trial.header
    cell, side = cell_name(header.plan_cell), comparison.side_of(header)
    parts = [f"trial {header.number}", f"block {header.block}", cell, side]
    return ", ".join(part for part in parts if part)


def _threshold(checked: Checked) -> Case:
    where = f", {checked.cell.name}" if checked.cell.name else ""
    name = f"{checked.subject} {checked.threshold.text}{where}"
    return Case(name, "" if checked.met else checked.text)


def _suite(root: ElementTree.Element, name: str, cases: Sequence[Case]) -> None:
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_clean(name),
        tests=str(len(cases)),
        failures=str(sum(bool(case.problem) for case in cases)),
        errors="0",
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    for case in cases:
        node = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_clean(name),
            name=_clean(case.name),
            time=f"{case.seconds:.3f}",
        )
        if case.problem:
            failure = ElementTree.SubElement(node, "failure", message=_clean(case.problem))
            failure.text = _clean(case.detail or case.problem)
        elif case.detail:
            ElementTree.SubElement(node, "system-out").text = _clean(case.detail)


def _line(text: str) -> str:
    return text.partition("\n")[0]


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
