"""Facts of sides beside each other: equal, declared to differ, unknown, or different all the same.

A fact is one thing that a side says of itself, as text under a name: ``lease`` is ``6``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testbed.record.model import TrialHeader
from testbed.stack.sides.resolve import EVERY_FACT

# In what a side declares: every fact that it does not name may differ too.
ANY = EVERY_FACT
# What declares the facts that a plan allows to differ.
PLAN = "the plan"

EQUAL, DECLARED, UNKNOWN, UNDECLARED = "equal", "declared", "unknown", "undeclared"

# Totals of limits, which the kernel rounds; a part of this size is no difference.
CPUS, MEMORY = "cpus", "memory_mib"
ROUNDING = 1e-3


@dataclass(frozen=True)
class Said:
    """What one side says: its ``facts``, and by what each may differ that it ``declared``.

    The words of a declaration say all of it, ``option lease=10``: sides with the same words have
    to agree. Under :data:`ANY` are those for every fact that is not named.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)

    def by(self, name: str) -> str:
        """Return what declares that a fact may differ on this side, empty if nothing does."""
        return self.declared.get(name, self.declared.get(ANY, ""))


@dataclass(frozen=True)
class Fact:
    """One fact on all sides, in their order.

    A value is ``None`` where the side does not say it. ``by`` is what declares, for each side, that
    it may differ there, empty if nothing does; ``allowed`` says that the plan lets it differ.
    """

    name: str
    values: tuple[str | None, ...]
    by: tuple[str, ...]
    allowed: bool = False

    @property
    def differs(self) -> bool:
        """Whether two sides are known to say different things."""
        known = [value for value in self.values if value is not None]
        return any(not same(self.name, known[0], each) for each in known[1:])

    @property
    def unknown(self) -> bool:
        """Whether a side does not say it."""
        return None in self.values

    @property
    def status(self) -> str:
        """Say how it stands; one that differs as declared and is unknown elsewhere is declared."""
        if not self.differs:
            return UNKNOWN if self.unknown else EQUAL
        return DECLARED if self.allowed or self._agree_as_declared() else UNDECLARED

    @property
    def causes(self) -> tuple[str, ...]:
        """What declares that it may differ, each once: ``option lease`` for any of its values."""
        by = dict.fromkeys(each.partition("=")[0] for each in self.by if each)
        return (*by, *([PLAN] if self.allowed else []))

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "status": self.status,
            "values": list(self.values),
            "declared_by": list(self.causes) if self.status == DECLARED else [],
        }

    def _agree_as_declared(self) -> bool:
        """Whether the sides agree that declare the same, or that declare nothing."""
        groups: dict[str, list[str]] = defaultdict(list)
        for value, by in zip(self.values, self.by, strict=True):
            if value is not None:
                groups[by].append(value)
        return all(
            same(self.name, group[0], each) for group in groups.values() for each in group[1:]
        )


def same(name: str, first: str, second: str) -> bool:
    """Say whether two values of a fact are equal, limits but for rounding."""
    if first == second or name not in {CPUS, MEMORY}:
        return first == second
    try:
        return math.isclose(number(first), number(second), rel_tol=ROUNDING)
    except ValueError:
        return False


def written(value: float) -> str:
    """Write a number so that no two numbers look alike."""
    return f"{value:,.0f}" if float(value).is_integer() else repr(float(value))


def number(text: str) -> float:
    """Return the number that was :func:`written`. Raises ``ValueError`` for any other text."""
    return float(text.replace(",", ""))


def beside(sides: Sequence[Said], allowed: Collection[str] = ()) -> tuple[Fact, ...]:
    """Return every fact that any of the sides says, by name. ``allowed`` are those of the plan."""
    names = sorted({name for side in sides for name in side.facts})
    return tuple(
        Fact(
            name,
            tuple(side.facts.get(name) for side in sides),
            tuple(side.by(name) for side in sides),
            name in allowed,
        )
        for name in names
    )


def of_trials(
    trials: Iterable[TrialHeader], sides: int, allowed: Collection[str] = ()
) -> tuple[Fact, ...]:
    """Return the facts of a cell as its trials recorded them; none if they recorded nothing.

    Where trials of a side say different things, as in a run that was resumed by force, all of it
    is the value.
    """
    found: list[dict[str, dict[str, None]]] = [defaultdict(dict) for _ in range(sides)]
    declared: list[dict[str, str]] = [{} for _ in range(sides)]
    for trial in trials:
        declared[trial.side].update(trial.declared)
        for name, text in recorded(trial.fairness).items():
            found[trial.side][name][text] = None
    return beside(
        [
            Said({name: " or ".join(texts) for name, texts in said.items()}, by)
            for said, by in zip(found, declared, strict=True)
        ],
        allowed,
    )


def recorded(statement: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts of a statement as it is recorded: its totals and its values."""
    totals = {name: written(value) for name, value in statement.get("totals", {}).items()}
    return {**totals, **statement.get("values", {})}
