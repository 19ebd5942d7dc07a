"""Reads fault plans: TOML files in ``experiments/faults/``, checked before anything starts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common import options
from common.config import ConfigError, environment_of
from common.options import OptionError
from common.options import values as choices
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.drive import values
from testbed.drive.plan_reader import PlanError, PlanReader, PlanSource
from testbed.drive.traffic import CLOSED_LOOP_KEYS, OPEN_LOOP_KEYS, Traffic
from testbed.drive.values import Number, Spec, Text, hint
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.runs.faults.plan import PARTS, DrawnFaults, FaultPlan, ListedFault
from testbed.stack import designs as known_designs
from testbed.stack.sides.resolve import checked, resolve
from testbed.stack.sides.side import Side

FOLDER = Path("experiments", "faults")
MOST_FAULTS = 10_000

_TOP: dict[str, Spec] = {
    "name": Text(),
    "about": Text(),
    **{key: values.TOP[key] for key in ("runtime", "slots", "workers", "seed", "audit")},
    "lead": Number(0, 3600, "seconds"),
    "seconds": Number(0, 3600, "seconds", above=True),
    "health": Number(0, 3600, "seconds", above=True),
    "recovery": Number(0, 3600, "seconds"),
}
_DRAWN: dict[str, Spec] = {
    "count": Number(1, MOST_FAULTS, whole=True),
    "parts": Text(PARTS),
}
_FAULT = {key: _TOP[key] for key in ("seconds", "health")}
_TABLES = ("traffic", "settings", "draw", "faults", "sides")


def parse(data: Mapping[str, Any], source: PlanSource, job_kinds: tuple[str, ...]) -> FaultPlan:
    """Make a plan of the contents of a file. Raises :class:`PlanError` naming all that is wrong."""
    return _Reader(data, source, job_kinds).plan()


def changed(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contents of a plan with ``changes``, by key or ``table.key``.

    A key of the traffic may be given without its table. Raises :class:`PlanError` for a key that no
    plan has; what is wrong with a value is found when the plan is read.
    """
    result = {key: dict(each) if isinstance(each, dict) else each for key, each in data.items()}
    traffic = values.traffic(())
    for key, value in changes.items():
        table, _, name = key.rpartition(".")
        if table in {"draw", "settings", "traffic"}:
            result.setdefault(table, {})[name] = value
        elif key in {*_TOP, "sides"}:
            result[key] = [value] if key == "sides" and isinstance(value, str) else value
        elif key in traffic:
            result.setdefault("traffic", {})[key] = value
        else:
            raise PlanError(f"--set {key}: a plan has no such key{hint(key, [*_TOP, *traffic])}")
    return result


class _Reader(PlanReader):
    """Reads one plan."""

    def __init__(
        self, data: Mapping[str, Any], source: PlanSource, job_kinds: tuple[str, ...]
    ) -> None:
        super().__init__(data, source)
        self._traffic_specs = values.traffic(job_kinds)
        self._kinds = registry.load()

    def plan(self) -> FaultPlan:
        self._check_keys([*_TOP, *_TABLES], ["name"])
        top = self._top(_TOP)
        sides = self._sides()
        traffic = self._traffic()
        settings = self._settings()
        drawn, listed = self._drawn(), self._listed(sides)
        if (drawn is None) == (not listed) and not self._problems:
            self._reject(
                "", "draw", "give either [draw], faults at random, or [[faults]], named ones"
            )
        self._raise_problems()
        return FaultPlan(
            **top,
            sides=sides,
            traffic=Traffic(**traffic, warmup=0.0, seed=top.get("seed", FaultPlan.seed)),
            settings=settings,
            drawn=drawn,
            listed=listed,
        )

    def _sides(self) -> tuple[str, ...]:
        given = self._data.get("sides", list(FaultPlan.sides))
        if not isinstance(given, list) or not given:
            self._reject("", "sides", "give a list of sides, such as ['a', 'b']")
            return ()
        found: list[str] = []
        for side in map(str, given):
            try:
                found.append(checked(side))
            except TestbedError as error:
                self._reject("", "sides", error.in_one_line)
        if len(set(found)) < len(found):
            self._reject("", "sides", "give each side once")
        return tuple(found)

    def _traffic(self) -> dict[str, Any]:
        given = self._table("traffic")
        unwanted = CLOSED_LOOP_KEYS if "rate" in given else OPEN_LOOP_KEYS
        for key in unwanted:
            if key in given:
                self._reject("traffic", key, "does not go with the others: rate makes an open loop")
        return self._values("traffic", given, self._traffic_specs)

    def _settings(self) -> dict[str, str]:
        given = {key: str(value) for key, value in self._table("settings").items()}
        try:
            environment_of(given)
        except ConfigError as error:
            self._reject("settings", "", str(error))
        return given

    def _drawn(self) -> DrawnFaults | None:
        if "draw" not in self._data:
            return None
        table = dict(self._table("draw"))
        named = table.pop("kinds", [])
        if not isinstance(named, list):
            self._reject("draw", "kinds", "must be a list of kinds")
            named = []
        for kind in named:
            self._check_kind("draw", "kinds", kind)
        return DrawnFaults(kinds=tuple(map(str, named)), **self._values("draw", table, _DRAWN))

    def _listed(self, sides: tuple[str, ...]) -> tuple[ListedFault, ...]:
        return tuple(
            listed
            for number, table in enumerate(self._tables("faults"), start=1)
            if (listed := self._one(f"faults {number}", table, sides))
        )

    def _one(self, table: str, given: dict[str, Any], sides: tuple[str, ...]) -> ListedFault | None:
        kind = given.pop("kind", None)
        if not self._check_kind(table, "kind", kind):
            return None
        # Targets of designs that this run leaves out are for another run of the same plan.
        known = known_designs.names()
        targets = {design: str(given.pop(design)) for design in known if design in given}
        if not targets:
            named = ", ".join(dict.fromkeys(Side.parse(each).design for each in sides))
            self._reject(table, "", f"names no target: give one for each of {named}")
        for design, target in targets.items():
            self._check_target(table, str(kind), design, target, sides)
        timed = {key: given.pop(key) for key in _FAULT if key in given}
        numbers = {key: float(value) for key, value in given.items() if _is_number(value)}
        for key in given.keys() - numbers.keys():
            self._reject(
                table,
                key,
                f"must be a number, a parameter of {kind}, or the target in a design of this plan",
            )
        try:
            self._kinds[str(kind)].read(numbers)
        except TestbedError as error:
            self._reject(table, "", f"{error} ({error.hint})")
        return ListedFault(str(kind), targets, numbers, **self._values(table, timed, _FAULT))

    def _check_kind(self, table: str, key: str, kind: Any) -> bool:
        if kind in self._kinds:
            return True
        self._reject(table, key, f"there is no kind of fault {kind!r}{hint(kind, self._kinds)}")
        return False

    def _check_target(
        self, table: str, kind: str, design: str, target: str, sides: tuple[str, ...]
    ) -> None:
        """Reject a target that no design of that name has, whatever its options."""
        refused = None
        for topology in _topologies(design, sides):
            try:
                self._kinds[kind].target(topology, target)
            except TestbedError as error:
                refused = refused or error
            else:
                return
        if refused:
            self._reject(table, design, f"{refused} ({refused.hint})")


def _topologies(design: str, sides: tuple[str, ...]) -> Iterator[Topology]:
    """Give what a design may be: that of each side, and as each option makes it that shapes it.

    A plan may name targets of sides that a run of it leaves out.
    """
    if design not in known_designs.names():
        return
    plain = known_designs.load(design)
    yield plain
    # What a revision has is read when it is started.
    parsed = [each for each in map(Side.parse, sides) if each.design == design]
    yield from (resolve(each).topology for each in parsed if not each.revision)
    for option in options.load().values():
        for value in _most_of(option.values) if option.shapes else ():
            with contextlib.suppress(OptionError):
                yield _shaped(plain, {**options.company(option), option.name: value})


def _most_of(values: choices.Values) -> tuple[str, ...]:
    """Return those values of which one at least gives a design each part that any of them does."""
    if isinstance(values, choices.Choice):
        return values.known
    return (f"{values.most:g}",) if isinstance(values, choices.Number) else ()


def _shaped(topology: Topology, given: Mapping[str, str]) -> Topology:
    spec = StackSpec()
    for each in options.in_order(given):
        topology, spec = each.apply(topology, spec, given[each.name])
    return topology


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
