"""Asks a stack what it runs with, and holds two sides against each other.

What is asked are the processes themselves, by their metrics, not the plan that they were started
from: a setting that did not arrive is seen.
"""

from __future__ import annotations

import http.client
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from common.topology import LINKS
from testbed.drive import budgets
from testbed.drive.scraper import read_page
from testbed.errors import TestbedError
from testbed.stack.records import ProcessBudget, StackRecord
from testbed.stack.spec import StackSpec

BUILD = "taskqueue_build_info"
SETTING = "taskqueue_setting"
# A metric that a process has exactly if it holds a queue.
QUEUE = "taskqueue_queue_depth"
# Metrics of a process whose container has such a limit.
CPU_LIMIT = "taskqueue_cgroup_cpu_limit_cores"
MEMORY_LIMIT = "taskqueue_cgroup_memory_limit_bytes"

# Settings that are shared out over the processes of a stack, so that their total has to be equal.
SLOT_TOTALS = ("slots", "fetchers")
QUEUE_TOTALS = ("max_queued_jobs", "max_queued_bytes")


class Unfair(TestbedError):
    """The two sides do not run with the same; the message names what differs."""


@dataclass(frozen=True)
class Identity:
    """What one process reports of itself."""

    build: Mapping[str, str]
    settings: Mapping[str, float]
    has_queue: bool = False
    budget: ProcessBudget = field(default_factory=ProcessBudget)


@dataclass(frozen=True)
class Statement:
    """What a stack states of itself.

    ``totals`` are sums over its processes, ``values`` what all of them have to agree on; where they
    do not, the value lists which process says what. ``budgets`` are the limits of each process.
    """

    design: str
    totals: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    budgets: Mapping[str, ProcessBudget] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data; budgets have a place of their own in a recording."""
        return {"design": self.design, "totals": dict(self.totals), "values": dict(self.values)}


def ask(stack: StackRecord) -> Statement:
    """Ask every process of a stack what it runs with.

    Raises :class:`Unfair` if one does not say, for what cannot be compared is not known to be
    equal, and if one has other limits than it was given.
    """
    # The proxy of links is no part of the design, and has a budget of its own: none.
    asked = {name: at for name, at in stack.metrics.items() if name != LINKS}
    statement = state(stack.design, {name: _identity(name, at) for name, at in asked.items()})
    if stack.budget and (found := list(budgets.not_as_given(statement.budgets, stack.budget))):
        raise Unfair(
            f"limits of design {stack.design.upper()} did not arrive: {'; '.join(found)}",
            "each process needs a container of its own, whose control group it can read",
        )
    return statement


def _identity(process: str, address: str) -> Identity:
    try:
        page = read_page(address)
    except (OSError, http.client.HTTPException) as error:
        raise Unfair(f"{process} does not say what it runs with: {address}: {error}") from error
    identity = parse(page)
    if not identity.build or not identity.settings:
        raise Unfair(f"{process} does not say what it runs with: {address} has no {BUILD}")
    return identity


def parse(page: str) -> Identity:
    """Read what a process says of itself out of its metrics."""
    build: dict[str, str] = {}
    settings: dict[str, float] = {}
    limits: dict[str, float] = {}
    has_queue = False
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == BUILD:
                build = dict(sample.labels)
            elif sample.name == SETTING:
                settings[sample.labels["name"]] = sample.value
            elif sample.name in {CPU_LIMIT, MEMORY_LIMIT}:
                limits[sample.name] = sample.value
            elif sample.name == QUEUE:
                has_queue = True
    return Identity(build, settings, has_queue, _budget(limits))


def _budget(limits: Mapping[str, float]) -> ProcessBudget:
    memory = limits.get(MEMORY_LIMIT)
    return ProcessBudget(limits.get(CPU_LIMIT), None if memory is None else int(memory))


def state(design: str, processes: Mapping[str, Identity]) -> Statement:
    """Put together what the processes of a stack say.

    Slots and fetchers count where jobs are run, limits of a queue where one is held.
    """
    workers = [each for each in processes.values() if each.settings.get("slots")]
    queues = [each for each in processes.values() if each.has_queue]
    totals = {
        **{name: _total(workers, name) for name in SLOT_TOTALS},
        **{name: _total(queues, name) for name in QUEUE_TOTALS},
    }
    by_name: dict[str, dict[str, str]] = defaultdict(dict)
    for process, identity in processes.items():
        for name, text in identity.build.items():
            by_name[name][process] = text
        for name, value in identity.settings.items():
            if name not in totals:
                by_name[name][process] = f"{value:g}"
    return Statement(
        design,
        totals,
        {name: _agreed(by_name[name]) for name in sorted(by_name)},
        {process: identity.budget for process, identity in processes.items()},
    )


def _total(processes: Sequence[Identity], name: str) -> float:
    return sum(each.settings.get(name, 0.0) for each in processes)


def _agreed(by_process: Mapping[str, str]) -> str:
    """Return what all say, or who says what."""
    if len(set(by_process.values())) == 1:
        return next(iter(by_process.values()))
    return ", ".join(f"{value} in {process}" for process, value in sorted(by_process.items()))


def differences(first: Statement, second: Statement) -> Iterator[str]:
    """Name everything in which the statements differ, and what each says."""
    for name in sorted({*first.totals, *second.totals}):
        one, two = first.totals.get(name), second.totals.get(name)
        if one != two:
            yield f"{name} in total: {_number(one)} and {_number(two)}"
    for name in sorted({*first.values, *second.values}):
        pair = first.values.get(name, "nothing"), second.values.get(name, "nothing")
        if pair[0] != pair[1]:
            yield f"{name}: {pair[0]} and {pair[1]}"
    yield from budgets.differences(first.budgets, second.budgets)


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.0f}"


class Fairness:
    """Remembers the statement of each side of each cell, and objects as soon as they differ.

    The factors of a plan set both sides of a cell alike, so whatever differs was not declared.
    """

    def __init__(self) -> None:
        self._statements: dict[tuple[str, StackSpec], dict[int, Statement]] = defaultdict(dict)

    def compare(
        self, designs: Sequence[str], spec: StackSpec, side: int, statement: Statement
    ) -> None:
        """Take the statement of one side. Raises :class:`Unfair` if that of the other differs.

        The side itself must state what it stated before: nothing may change within a comparison.
        And its processes must all have the same budget.
        """
        if found := list(budgets.uneven(statement.budgets)):
            raise Unfair(
                f"the processes of design {statement.design.upper()} do not have the same budget: "
                f"{'; '.join(found)}",
                "give each process of a stack the same limits",
            )
        known = self._statements[",".join(designs), spec]
        for earlier in known.values():
            if found := list(differences(earlier, statement)):
                raise Unfair(
                    f"design {earlier.design.upper()} and design {statement.design.upper()} do not "
                    f"run with the same: {'; '.join(found)}",
                    "the plan declares no such factor: set both alike, or compare something else",
                )
        known[side] = statement
