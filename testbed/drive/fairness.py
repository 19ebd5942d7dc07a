"""Remembers what each side says of itself, and objects to a difference that nothing declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

from testbed.drive import budgets, facts
from testbed.drive.facts import UNDECLARED, Fact, Said
from testbed.drive.statements import QUEUE_TOTALS, SLOT_TOTALS, Statement, Unfair
from testbed.stack.sides.side import title

_TOTALS = frozenset({*SLOT_TOTALS, *QUEUE_TOTALS, facts.CPUS, facts.MEMORY})


class Fairness:
    """What the sides of each cell say, over a whole run.

    The factors of a plan set all sides of a cell alike, so they declare nothing. ``allowed`` are
    facts that may differ because the plan says so.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)
        self._said: dict[Hashable, dict[int, tuple[str, Said]]] = defaultdict(dict)

    def compare(
        self,
        cell: Hashable,
        side: int,
        statement: Statement,
        declared: Mapping[str, str] | None = None,
        label: str = "",
    ) -> None:
        """Take the statement of one side. Raises :class:`Unfair` if it differs from another's.

        What is ``declared`` for this side, by name of fact, may (see :class:`Said`); ``label``
        names it for a reader. The side itself must state what it stated before: nothing may change
        within a run. And its processes must all have the same budget.
        """
        label = label or title(statement.design)
        if found := list(budgets.uneven(statement.budgets)):
            raise Unfair(
                f"the processes of {label} do not have the same budget: {'; '.join(found)}",
                "give each process of a stack the same limits",
            )
        said = Said(statement.facts, dict(declared or {}))
        known = self._said[cell]
        if side in known and (found := list(_changes(known[side][1], said))):
            raise Unfair(
                f"{label} does not run with what it did before: {'; '.join(found)}",
                "something changed while the comparison ran: run it again",
            )
        known[side] = label, said
        self._object(cell)

    def facts(self, cell: Hashable) -> tuple[Fact, ...]:
        """Return every fact of a cell, of the sides that have stated theirs, in their order."""
        return facts.beside([said for _, said in self._of(cell)], self._allowed)

    def _of(self, cell: Hashable) -> list[tuple[str, Said]]:
        return [each for _, each in sorted(self._said[cell].items())]

    def _object(self, cell: Hashable) -> None:
        labels = [label for label, _ in self._of(cell)]
        wrong = [each for each in self.facts(cell) if each.status == UNDECLARED]
        if wrong:
            names = ", ".join(each.name for each in wrong)
            raise Unfair(
                f"{_listed(labels)} do not run with the same: "
                f"{'; '.join(_difference(each, labels) for each in wrong)}",
                "nothing declares this: set all sides alike, make it an option of a side, or let "
                f"the plan declare that it may differ (declared, --declare): {names}",
            )


def _changes(before: Said, now: Said) -> Iterator[str]:
    """Name what a side says now and did not say before, and the other way round."""
    for each in facts.beside([before, now]):
        first, second = each.values
        if each.differs or each.unknown:
            yield f"{_titled(each.name)}: {_said(first)} and {_said(second)}"


def _difference(fact: Fact, labels: Sequence[str]) -> str:
    """Write what each side says: ``lease: 6 in A and 9 in B``."""
    parts = [f"{_said(value)} in {label}" for value, label in zip(fact.values, labels, strict=True)]
    return f"{_titled(fact.name)}: {_listed(parts)}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _titled(name: str) -> str:
    return f"{name} in total" if name in _TOTALS else name


def _said(value: str | None) -> str:
    return "nothing" if value is None else value
