"""What the checker answers, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from testbed.record.history.model import FaultEvent, Operation

if TYPE_CHECKING:
    from testbed.check.index import Index

Slice = tuple[Operation | FaultEvent, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    ``subject`` is the id of a job, a request id or the name of a scan. ``slice`` is the shortest
    part of the history that shows it, in the order of time: the calls, and the faults that overlap
    the time from the first to the last of them.
    """

    rule: str
    subject: str
    text: str
    slice: Slice


@dataclass(frozen=True)
class Verdict:
    """What a history shows.

    ``violations`` has the first of each rule in detail, ``found`` how many there are by rule.
    ``counts`` counts operations and jobs, see ``docs/histories.md``.
    """

    violations: tuple[Violation, ...]
    found: Mapping[str, int]
    counts: Mapping[str, int]

    @property
    def clean(self) -> bool:
        """Whether no promise was broken."""
        return not any(self.found.values())


class Finding(NamedTuple):
    """A violation as a rule finds it: whose it is, what is wrong, and the calls that show it."""

    subject: str
    text: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Rule:
    """A promise. ``name`` is stable, ``about`` says it in a sentence for people.

    ``find`` looks for what breaks it. It takes time linear in the history and never reports what an
    innocent system can show, however its answers were delayed or lost. A ``calm`` rule is one
    that faults and overload excuse: it is judged only where neither was there.
    """

    name: str
    about: str
    find: Callable[[Index], Iterator[Finding]]
    calm: bool = False
