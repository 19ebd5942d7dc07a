"""Asks a stack what it runs with.

What is asked are the processes themselves, by their metrics, not the plan that they were started
from: a setting that did not arrive is seen. What a declaration says of a stack stands beside that.
"""

from __future__ import annotations

import http.client
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client.parser import text_string_to_metric_families

from common.config import MEMORY, QUEUE_LIMITS
from common.topology import LINKS
from testbed.drive import budgets, facts
from testbed.drive.scraper import read_page
from testbed.errors import TestbedError
from testbed.record.model import RecordedStatement
from testbed.stack.records import ProcessBudget, StackRecord
from testbed.stack.sides.side import Side, label

BUILD = "taskqueue_build_info"
SETTING = "taskqueue_setting"
FACT = "taskqueue_fact_info"
# What the name of every metric begins with that a process of ours has and no other.
OURS = "taskqueue_"
# A metric that a process has exactly if it holds a queue.
QUEUE = "taskqueue_queue_depth"
# Metrics of a process whose container has such a limit.
CPU_LIMIT = "taskqueue_cgroup_cpu_limit_cores"
MEMORY_LIMIT = "taskqueue_cgroup_memory_limit_bytes"

# Settings that are shared out over the processes of a stack, so that their total has to be equal.
SLOT_TOTALS = ("slots", "fetchers")
QUEUE_TOTALS = QUEUE_LIMITS


class Unfair(TestbedError):
    """The sides do not run with the same; the message names what differs."""


@dataclass(frozen=True)
class Identity:
    """What one process reports of itself: its ``build`` and its ``texts``, and its ``settings``.

    ``is_ours`` says that it has metrics of ours, whatever they are.
    """

    build: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    has_queue: bool = False
    budget: ProcessBudget = field(default_factory=ProcessBudget)
    is_ours: bool = False


@dataclass(frozen=True)
class Statement:
    """What a stack states of itself; what is in neither mapping is unknown.

    ``totals`` are sums over its processes, ``values`` what all of them have to agree on; where they
    do not, the value lists which process says what. ``budgets`` are the limits of each process.
    """

    design: str
    totals: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    budgets: Mapping[str, ProcessBudget] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, str]:
        """Every fact as text, by name."""
        return facts.recorded(self.as_data())

    def as_data(self) -> RecordedStatement:
        """Return it as plain data; budgets have a place of their own in a recording."""
        return {"design": self.design, "totals": dict(self.totals), "values": dict(self.values)}


def ask(stack: StackRecord) -> Statement:
    """Ask every process of a stack that has metrics what it runs with.

    What a git revision or a process that is not ours does not say is unknown. Raises
    :class:`Unfair` if a process of ours does not say it, or nobody answers where metrics should be,
    and if a process has other limits than it was given.
    """
    # The proxy of links is no part of the design, and has a budget of its own: none.
    asked = {name: at for name, at in stack.metrics.items() if name != LINKS}
    strict = not (stack.side and Side.parse(stack.side).revision)
    identities = {name: _identity(name, at, strict) for name, at in asked.items()}
    silent = {each.name for each in stack.measured} - asked.keys()
    statement = state(stack.design, identities, silent)
    if stack.budget and (found := list(budgets.not_as_given(statement.budgets, stack.budget))):
        raise Unfair(
            f"limits of design {label(stack.design)} did not arrive: {'; '.join(found)}",
            "each process needs a container of its own, whose control group it can read",
        )
    runtime = {"runtime": stack.runtime} if stack.processes else {}
    totals, values = _declared(stack.facts)
    return replace(
        statement,
        totals={**totals, **statement.totals},
        values={**values, **runtime, **statement.values},
    )


def _declared(said: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Return what a declaration says as totals and as values, where our processes have them."""
    names = said.keys() & {*SLOT_TOTALS, *QUEUE_TOTALS}
    return (
        {name: facts.number(said[name]) for name in names},
        {name: text for name, text in said.items() if name not in names},
    )


def _identity(process: str, address: str, strict: bool) -> Identity:
    try:
        page = read_page(address)
    except (OSError, http.client.HTTPException) as error:
        raise Unfair(f"{process} does not say what it runs with: {address}: {error}") from error
    identity = parse(page)
    if strict and identity.is_ours and not (identity.build and identity.settings):
        raise Unfair(f"{process} does not say what it runs with: {address} has no {BUILD}")
    return identity


def parse(page: str) -> Identity:
    """Read what a process says of itself out of its metrics."""
    build: dict[str, str] = {}
    settings: dict[str, float] = {}
    texts: dict[str, str] = {}
    limits: dict[str, float] = {}
    names: set[str] = set()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            names.add(sample.name)
            if sample.name == BUILD:
                build = dict(sample.labels)
            elif sample.name == SETTING:
                settings[sample.labels["name"]] = sample.value
            elif sample.name == FACT:
                texts[sample.labels["name"]] = sample.labels["value"]
            elif sample.name in {CPU_LIMIT, MEMORY_LIMIT}:
                limits[sample.name] = sample.value
    return Identity(
        build,
        settings,
        texts,
        has_queue=QUEUE in names,
        budget=_budget(limits),
        is_ours=any(name.startswith(OURS) for name in names),
    )


def _budget(limits: Mapping[str, float]) -> ProcessBudget:
    memory = limits.get(MEMORY_LIMIT)
    return ProcessBudget(limits.get(CPU_LIMIT), None if memory is None else int(memory))


def state(
    design: str, processes: Mapping[str, Identity], silent: Collection[str] = ()
) -> Statement:
    """Put together what the processes of a stack say.

    Slots and fetchers count where jobs are run, limits of a queue where one is held. ``silent`` are
    the processes that have no metrics, so that what all may use together is unknown.
    """
    ours = {name: each for name, each in processes.items() if each.is_ours}
    workers = [each for each in ours.values() if each.settings.get("slots")]
    queues = _queues(ours.values())
    totals = {
        **_totals(SLOT_TOTALS, workers, [*ours.values()]),
        **_totals(QUEUE_TOTALS, queues, queues),
    }
    by_name: dict[str, dict[str, str]] = defaultdict(dict)
    for process, identity in ours.items():
        for name, text in (*identity.build.items(), *identity.texts.items()):
            by_name[name][process] = text
        for name, value in identity.settings.items():
            if name not in (*SLOT_TOTALS, *QUEUE_TOTALS):
                by_name[name][process] = facts.written(value)
    limits = {process: identity.budget for process, identity in ours.items()}
    whole = ours and not silent and len(ours) == len(processes)
    return Statement(
        design,
        totals,
        {
            **{name: _agreed(by_name[name]) for name in sorted(by_name)},
            **(budgets.totals(limits) if whole else {}),
        },
        limits,
    )


def _queues(processes: Iterable[Identity]) -> list[Identity]:
    """Return one process for each queue: those that share a store have one together."""
    holders = [each for each in processes if each.has_queue]
    shares = [each for each in holders if each.texts.get("store", MEMORY) != MEMORY]
    return [each for each in holders if each not in shares] + shares[:1]


def _totals(
    names: Sequence[str], added: Sequence[Identity], said: Sequence[Identity]
) -> dict[str, float]:
    """Add up over some processes each setting that any of those has that could say it."""
    return {
        name: sum(each.settings.get(name, 0.0) for each in added)
        for name in names
        if any(name in each.settings for each in said)
    }


def _agreed(by_process: Mapping[str, str]) -> str:
    """Return what all say, or who says what."""
    if len(set(by_process.values())) == 1:
        return next(iter(by_process.values()))
    return ", ".join(f"{value} in {process}" for process, value in sorted(by_process.items()))
