"""The report of a fault run as a page of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.report.numbers import listed, plural
from testbed.report.page import Alert, Block, FaultPage, Section, render
from testbed.report.provenance import flat, machine_words, origin, two_columns, when
from testbed.runs.faults.figures.model import FaultFigures
from testbed.runs.faults.report import section as faults
from testbed.runs.faults.report import words
from testbed.runs.faults.report.run import FaultRun, labels, style
from testbed.stack.sides.side import headline


def page(figures: Sequence[FaultFigures], run: FaultRun) -> str:
    """Return the HTML of a fault run, one file that needs nothing else."""
    return render("faults.html.j2", build(figures, run))


def build(figures: Sequence[FaultFigures], run: FaultRun) -> FaultPage:
    """Put the parts of the page together."""
    names = labels(figures)
    return FaultPage(
        name=run.name,
        title=title(figures),
        when=when(run.when),
        labels=names,
        titles=[each.title for each in figures],
        styles=[style(figures, index) for index in range(len(figures))],
        what_ran=[*run.what_ran, *_machine(run)],
        summary=[words.sentence(label, each) for label, each in zip(names, figures, strict=True)],
        alerts=list(alerts(figures)),
        sections=[*faults.sections(figures), reproduce(run), provenance(run)],
        footer=f"Worked out from the histories in {run.folder or 'this folder'} by testbed report.",
    )


def title(figures: Sequence[FaultFigures]) -> str:
    """Name the run as a heading."""
    sides = list(dict.fromkeys(each.side for each in figures))
    return f"{listed([headline(each) for each in sides])} under faults"


def alerts(figures: Sequence[FaultFigures]) -> Iterator[Alert]:
    """Give what has to be known before any figure is read."""
    for label, each in zip(labels(figures), figures, strict=True):
        total = sum(each.verdict.found.values())
        if total:
            yield Alert(
                f"{label}: {plural(total, 'violation')}.",
                "A promise of the contract was broken; see “What the checker says”.",
            )
        if missed := each.verdict.counts.get("not_looked_up"):
            yield Alert(
                f"{label}: {plural(missed, 'job')} not looked up.",
                "Whether they are lost is not known.",
            )
        if each.unexplained and not each.verdict.found.get("lost"):
            yield Alert(
                f"{label}: {plural(each.unexplained, 'job')} unexplained.",
                "The audit misses them, and no fault that lost state lies between the last answer "
                "that showed them and the first that did not.",
            )


def _machine(run: FaultRun) -> Iterator[str]:
    machine = run.provenance.get("machine")
    if machine:
        yield f"Machine: {machine_words(machine)}."


def reproduce(run: FaultRun) -> Section:
    """Return the section of how to repeat the run."""
    commit = run.provenance.get("git", {}).get("commit")
    lines = [f"git checkout {commit}"] if commit else []
    lines += [run.command] if run.command else []
    intro = [
        f"Seed {run.seed} gives the same faults on the same targets in the same order, and the "
        "same calls; what they meet of each other differs from run to run."
    ]
    return Section("reproduce", "Reproduce", "How to repeat it", intro, command="\n".join(lines))


def provenance(run: FaultRun) -> Section:
    """Return the section of everything that the figures depend on."""
    blocks = [Block("Origin", table=two_columns(origin(run.provenance)))]
    if run.plan:
        blocks.append(Block("Plan", table=two_columns(list(flat(run.plan)))))
    return Section("provenance", "Provenance", "Provenance", [], blocks)
