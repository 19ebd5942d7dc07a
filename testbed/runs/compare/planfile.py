"""Reads plans: TOML files in ``experiments/``, checked as a whole before anything starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.drive import values
from testbed.drive.figures import metrics
from testbed.drive.figures.validity import Limits
from testbed.drive.plan_reader import PlanReader, PlanSource
from testbed.drive.traffic import CLOSED_LOOP_KEYS, OPEN_LOOP_KEYS, Traffic
from testbed.drive.values import Spec, hint
from testbed.errors import TestbedError
from testbed.runs.compare.plan import (
    FACTORS,
    STACK_FACTORS,
    Plan,
    Stop,
)
from testbed.runs.compare.thresholds import Threshold
from testbed.stack.sides.resolve import checked
from testbed.stack.sides.side import Side

FOLDER = Path("experiments")
MOST_TRIALS = 10_000
# What a plan says that has another one's faults taken away.
NO_FAULTS = "none"
RESERVED_NAMES = frozenset({"latest", "bench"})
METRICS = tuple(metric.name for metric in metrics.catalogue(metrics.CALLS))
# A block of more would not be run close together in time.
MOST_SIDES = 12
_TABLES = ("traffic", "factors", "limits", "stop", "thresholds")


def parse(data: Mapping[str, Any], source: PlanSource, kinds: Sequence[str]) -> Plan:
    """Make a plan of the contents of a file; ``kinds`` of jobs are known.

    Raises :class:`PlanError` naming all that is wrong.
    """
    return _Reader(data, source, kinds).plan()


class _Reader(PlanReader):
    """Reads one plan."""

    def __init__(self, data: Mapping[str, Any], source: PlanSource, kinds: Sequence[str]) -> None:
        super().__init__(data, source)
        self._traffic_specs = values.traffic(kinds)

    def plan(self) -> Plan:
        self._check_keys([*values.TOP, "sides", "declared", *_TABLES], ("name", "sides"))
        top = self._top(values.TOP)
        sides = self._sides()
        declared = self._declared()
        factors = self._factors()
        traffic = self._values("traffic", self._table("traffic"), self._traffic_specs)
        limits = self._values("limits", self._table("limits"), values.LIMITS)
        self._check_loop(traffic, factors)
        self._check_name(top.get("name", ""))
        stop = self._stop(int(top.get("blocks", Plan.blocks)))
        thresholds = tuple(self._thresholds(sides))
        if top.get("faults") == NO_FAULTS:
            del top["faults"]
        timing = {key: top.pop(key) for key in ("warmup", "duration", "seed") if key in top}
        self._raise_problems()
        plan = Plan(
            **top,
            sides=sides,
            declared=declared,
            traffic=Traffic(**traffic, **timing),
            factors=factors,
            limits=Limits(**limits),
            stop=stop,
            thresholds=thresholds,
        )
        self._check_size(plan)
        self._raise_problems()
        return plan

    def _sides(self) -> tuple[str, ...]:
        given = self._data.get("sides", [])
        if "sides" not in self._data:
            return ()
        if not isinstance(given, list) or len(given) < 2:
            again = f": give it twice for the noise of this machine, {[*given, *given]}" * (
                isinstance(given, list) and len(given) == 1
            )
            self._reject("", "sides", f"{given!r} is not a list of two sides or more{again}")
            return ()
        if len(given) > MOST_SIDES:
            self._reject("", "sides", f"are {len(given)}, more than {MOST_SIDES}")
        return tuple(filter(None, map(self._side, given)))

    def _side(self, given: Any) -> str:
        """Return a side as it is always written, empty if it is none that there is."""
        try:
            return checked(given if isinstance(given, str) else "")
        except TestbedError as error:
            self._reject("", "sides", f"{error}; {error.hint}" if error.hint else str(error))
            return ""

    def _declared(self) -> tuple[str, ...]:
        given = self._data.get("declared", [])
        if not isinstance(given, list) or not all(each and isinstance(each, str) for each in given):
            self._reject("", "declared", f"{given!r} is not a list of names of facts")
            return ()
        return tuple(given)

    def _factors(self) -> dict[str, tuple[Any, ...]]:
        specs = {**self._traffic_specs, **{name: values.TOP[name] for name in STACK_FACTORS}}
        factors = {}
        for name, levels in self._table("factors").items():
            if name not in FACTORS:
                self._reject("factors", name, f"is no factor{hint(name, FACTORS)}")
            elif not isinstance(levels, list) or not levels:
                self._reject("factors", name, "is empty: give a list of at least one level")
            elif problems := list(filter(None, map(specs[name].problem, levels))):
                self._reject("factors", name, "; ".join(problems))
            elif len(set(levels)) < len(levels):
                self._reject("factors", name, "a level is given twice")
            else:
                factors[name] = tuple(levels)
                self._check_single(name)
        return factors

    def _check_single(self, name: str) -> None:
        """A factor has its levels, and no other value beside them."""
        if name in self._table("traffic"):
            self._reject("factors", name, "is given in [traffic] too: leave one of them out")
        if name in STACK_FACTORS and name in self._data:
            self._reject("factors", name, f"is given as {name} too: leave one of them out")

    def _check_loop(self, traffic: Mapping[str, Any], factors: Mapping[str, Any]) -> None:
        given = {**traffic, **factors}
        table = {name: "factors" if name in factors else "traffic" for name in given}
        if "rate" in given:
            for name in CLOSED_LOOP_KEYS:
                if name in given:
                    self._reject(
                        table[name], name, "belongs to a closed loop, and rate makes it an open one"
                    )
            return
        for name in OPEN_LOOP_KEYS:
            if name in given:
                self._reject(table[name], name, "belongs to an open loop: it needs a rate")

    def _check_name(self, name: str) -> None:
        if name and not name.replace("-", "").replace("_", "").isalnum():
            self._reject("", "name", f"{name!r}: letters, digits, - and _ only")
        if name in RESERVED_NAMES:
            self._reject("", "name", f"{name!r} is taken")

    def _stop(self, blocks: int) -> Stop | None:
        if "stop" not in self._data:
            return None
        table = dict(self._table("stop"))
        named = table.pop("metrics", [])
        read = self._values("stop", table, values.STOP)
        if not isinstance(named, list) or not named:
            self._reject("stop", "metrics", "is empty: name the metrics that decide")
            return None
        for metric in named:
            self._check_metric("stop", "metrics", metric)
        stop = Stop(tuple(map(str, named)), **read)
        if stop.min_blocks > blocks:
            self._reject(
                "stop", "min_blocks", f"{stop.min_blocks} is more than the {blocks} blocks"
            )
        return stop

    def _check_metric(self, table: str, key: str, metric: Any) -> None:
        if metric not in METRICS:
            self._reject(table, key, f"there is no metric {metric!r}{hint(metric, METRICS)}")

    def _thresholds(self, sides: Sequence[str]) -> Iterator[Threshold]:
        specs: dict[str, Spec] = {
            "metric": values.Text(METRICS),
            "side": values.Text(tuple(dict.fromkeys(sides))),
            "min": values.Number(-math.inf, math.inf),
            "max": values.Number(-math.inf, math.inf),
        }
        for number, table in enumerate(self._tables("thresholds"), start=1):
            yield from self._threshold(f"thresholds {number}", table, specs, sides)

    def _threshold(
        self, table: str, given: dict[str, Any], specs: Mapping[str, Spec], sides: Sequence[str]
    ) -> Iterator[Threshold]:
        before = len(self._problems)
        ratio = given.pop("ratio", False)
        if isinstance(given.get("side"), str):
            given["side"] = _written(given["side"])
        read = self._values(table, given, specs)
        if not isinstance(ratio, bool):
            self._reject(table, "ratio", f"{ratio!r} is not true or false")
        elif ratio and "side" in read and read["side"] not in sides[1:]:
            self._reject(table, "side", f"{read['side']} is the reference: name another")
        if "metric" not in given:
            self._reject(table, "metric", "is missing")
        if not {"min", "max"} & given.keys():
            self._reject(table, "", "has neither min nor max")
        elif {"min", "max"} <= read.keys() and read["min"] > read["max"]:
            self._reject(table, "min", f"{read['min']:g} is above max, {read['max']:g}")
        if len(self._problems) == before:
            yield Threshold(**read, ratio=ratio)

    def _check_size(self, plan: Plan) -> None:
        if plan.trials > MOST_TRIALS:
            self._reject("", "factors", f"make {plan.trials:,} trials, more than {MOST_TRIALS:,}")


def _written(side: str) -> str:
    """Return a side as it is always written, and what is none as it is."""
    try:
        return str(Side.parse(side))
    except TestbedError:
        return side
