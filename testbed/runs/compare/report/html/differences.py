"""In what several experiments differ besides what they measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.report.numbers import NOTHING
from testbed.report.provenance import flat, machine_words, written_list
from testbed.runs.compare.report.html.view import View

MACHINE, LOCK, COMMIT, SETTINGS, PLAN, MOMENT = (
    "machine",
    "lock and versions",
    "commit",
    "settings",
    "plan",
    "moment",
)
CONDITIONS = (MACHINE, LOCK, COMMIT, SETTINGS, PLAN)
SAME_MACHINE = ("cpu", "cores", "memory_bytes", "system")
# What only names an experiment is no difference in conditions.
NAMES = {"name", "about"}


@dataclass(frozen=True)
class Fact:
    """One fact of every experiment, in the order of these.

    ``applies`` says of which it can be one: of a side it is nothing to those without that side.
    """

    kind: str
    name: str
    values: tuple[str, ...]
    applies: tuple[bool, ...]

    @property
    def differs(self) -> bool:
        """Whether it is not the same everywhere where it can be."""
        return len({value for value, own in zip(self.values, self.applies, strict=True) if own}) > 1


def facts(views: Sequence[View]) -> list[Fact]:
    """List all facts; one that an experiment does not have is a dash there."""
    found = [*_facts([dict(_of(view)) for view in views]), *_facts_of_sides(views)]
    order = (*CONDITIONS, MOMENT)
    return sorted(found, key=lambda fact: order.index(fact.kind))


def _facts(by_view: Sequence[Mapping[tuple[str, str], str]]) -> Iterator[Fact]:
    for kind, name in dict.fromkeys(key for each in by_view for key in each):
        values = tuple(each.get((kind, name), NOTHING) for each in by_view)
        yield Fact(kind, name, values, (True,) * len(values))


def _facts_of_sides(views: Sequence[View]) -> Iterator[Fact]:
    by_view = [dict(_of_sides(view)) for view in views]
    sides = [{side for side, *_ in each} for each in by_view]
    for key in dict.fromkeys(key for each in by_view for key in each):
        side, kind, name = key
        values = tuple(each.get(key, NOTHING) for each in by_view)
        yield Fact(kind, f"{side} {name}", values, tuple(side in each for each in sides))


def kinds(found: Sequence[Fact]) -> list[str]:
    """Name the conditions in which experiments differ."""
    return list(dict.fromkeys(each.kind for each in found if each.differs and each.kind != MOMENT))


def same_machine(one: View, two: View) -> bool:
    """Whether two experiments ran on the same machine, as far as they say."""
    machines = [view.provenance.get("machine", {}) for view in (one, two)]
    return all(machines[0].get(key) == machines[1].get(key) for key in SAME_MACHINE)


def _of(view: View) -> Iterator[tuple[tuple[str, str], str]]:
    origin = view.provenance
    git, machine = origin.get("git", {}), origin.get("machine", {})
    yield (MACHINE, "machine"), machine_words(machine)
    yield (MACHINE, "system"), f"{machine.get('system', '')} {machine.get('kernel', '')}".strip()
    yield (LOCK, "lock file, SHA-256"), str(origin.get("lock_sha256") or NOTHING)
    yield (LOCK, "Python"), str(origin.get("python", NOTHING))
    for name, version in origin.get("packages", {}).items():
        yield (LOCK, name), str(version)
    yield (COMMIT, "commit"), str(git.get("commit") or "unknown")
    yield (COMMIT, "uncommitted changes"), _dirty(git)
    if "code" in origin:
        yield (COMMIT, "code that trials run"), str(origin["code"])
    for name, text in flat({key: each for key, each in view.plan.items() if key not in NAMES}):
        if not name.startswith("titles"):
            yield (PLAN, name), text
    yield (MOMENT, "begun"), view.started() or "not begun"
    yield (MOMENT, "load average before"), written_list(machine.get("load_average"))


def _dirty(git: Mapping[str, Any]) -> str:
    dirty = git.get("dirty")
    return "unknown" if dirty is None else "yes" if dirty else "no"


def _of_sides(view: View) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Give what each side ran with in its trials; where they differ, all that was reported."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for trial in view.trials():
        header = trial.figures.header
        label = view.compared.side_of(header).removeprefix("design ")
        for name, text in flat({**header.fairness, **header.settings}):
            found.setdefault((label, SETTINGS, name), {})[text] = None
    for key, texts in found.items():
        yield key, " or ".join(texts)
    for side, revision in view.provenance.get("revisions", {}).items():
        yield (side, COMMIT, "commit"), str(revision.get("commit"))
