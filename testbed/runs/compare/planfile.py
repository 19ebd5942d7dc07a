"""Reads plans: TOML files in ``experiments/``, checked as a whole before anything starts."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.drive import values
from testbed.drive.figures import metrics
from testbed.drive.figures.validity import Limits
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

FOLDER = "experiments"
SUFFIX = ".toml"
MOST_TRIALS = 10_000
# What a plan says that has another one's faults taken away.
NO_FAULTS = "none"
RESERVED_NAMES = frozenset({"latest", "bench"})
METRICS = tuple(metric.name for metric in metrics.catalogue(metrics.CALLS))
_TABLES = ("traffic", "factors", "limits", "stop", "thresholds")
_PAIRS = ("designs", "pairs")


class PlanError(TestbedError):
    """A plan cannot be carried out; the message names the file and every key that is wrong."""


@dataclass(frozen=True)
class Source:
    """Where the values of a plan are from: ``file``, and by key the option that replaced it."""

    file: str
    options: Mapping[str, str] = field(default_factory=dict)

    def label(self, table: str, key: str) -> str:
        """Name the place of a key."""
        if key in self.options:
            return self.options[key]
        where = f"[{table}] {key}" if table and key else f"[{table}]" if table else key
        return f"{self.file}: {where}"


@dataclass(frozen=True)
class Known:
    """The names that a plan may use."""

    designs: tuple[str, ...]
    kinds: tuple[str, ...]


def load(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises :class:`PlanError` if there is none or it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PlanError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise PlanError(f"{path}: {error}") from error


def resolved(plan: str) -> str:
    """Return the name of a plan as it is, and a path made to work from every working directory."""
    return str(Path(plan).resolve()) if plan.endswith(SUFFIX) else plan


def find(home: Path, plan: str) -> Path:
    """Return the file of a plan, given by its name or by a path.

    Raises :class:`PlanError` if there is none, or if two files have that name.
    """
    if plan.endswith(SUFFIX):
        return Path(resolved(plan))
    folder = home / FOLDER
    named = names(folder)
    found = [path for path, name in named.items() if name == plan]
    if len(found) > 1:
        raise PlanError(f"two plans are called {plan!r}: {', '.join(map(str, found))}")
    if found:
        return found[0]
    if not named:
        raise PlanError(
            f"there is no plan in {folder}", "run this in the project, or set TESTBED_HOME to it"
        )
    raise PlanError(f"there is no plan {plan!r} in {folder}{hint(plan, sorted(named.values()))}")


def names(folder: Path) -> dict[Path, str]:
    """Return the plan files of a folder with the names that they give, their own if none."""
    found = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            name = load(path).get("name")
        except PlanError:
            name = None
        found[path] = name if isinstance(name, str) else path.stem
    return found


def parse(data: Mapping[str, Any], source: Source, known: Known) -> Plan:
    """Make a plan of the contents of a file. Raises :class:`PlanError` naming all that is wrong."""
    return _Parser(data, source, known).plan()


class _Parser:
    """Reads one plan and collects what is wrong with it."""

    def __init__(self, data: Mapping[str, Any], source: Source, known: Known) -> None:
        self._data = data
        self._source = source
        self._known = known
        self._problems: list[str] = []
        self._traffic_specs = values.traffic(known.kinds)

    def plan(self) -> Plan:
        for key in self._data:
            if key not in {*values.TOP, *_TABLES, *_PAIRS}:
                self._say("", key, f"unknown key{hint(key, [*values.TOP, *_TABLES, *_PAIRS])}")
        for name in ("name", "designs"):
            if name not in self._data and not (name == "designs" and "pairs" in self._data):
                self._say("", name, "is missing")
        top = self._read("", self._data, values.TOP)
        pairs = self._pairs()
        factors = self._factors()
        traffic = self._read("traffic", self._table("traffic"), self._traffic_specs, strict=True)
        limits = self._read("limits", self._table("limits"), values.LIMITS, strict=True)
        self._check_loop(traffic, factors)
        self._check_name(top.get("name", ""))
        stop = self._stop(int(top.get("blocks", Plan.blocks)))
        thresholds = tuple(self._thresholds([design for pair in pairs for design in pair]))
        if top.get("faults") == NO_FAULTS:
            del top["faults"]
        timing = {key: top.pop(key) for key in ("warmup", "duration", "seed") if key in top}
        self._refuse()
        plan = Plan(
            **top,
            pairs=pairs,
            traffic=Traffic(**traffic, **timing),
            factors=factors,
            limits=Limits(**limits),
            stop=stop,
            thresholds=thresholds,
        )
        self._check_size(plan)
        self._refuse()
        return plan

    def _say(self, table: str, key: str, problem: str) -> None:
        self._problems.append(f"{self._source.label(table, key)}: {problem}")

    def _refuse(self) -> None:
        if self._problems:
            raise PlanError("\n".join(self._problems))

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self._data.get(name, {})
        if isinstance(table, dict):
            return table
        self._say("", name, f"must be a table [{name}]")
        return {}

    def _read(
        self, table: str, given: Mapping[str, Any], specs: Mapping[str, Spec], strict: bool = False
    ) -> dict[str, Any]:
        """Return the possible values of a table; with ``strict`` unknown keys are refused."""
        read = {}
        for key, value in given.items():
            if key not in specs:
                if strict:
                    self._say(table, key, f"unknown key{hint(key, specs)}")
                continue
            if problem := specs[key].problem(value):
                self._say(table, key, problem)
            else:
                read[key] = value
        return read

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        key = "pairs" if "pairs" in self._data else "designs"
        given = self._data.get(key, [])
        pairs = given if key == "pairs" else [given] if given else []
        if not isinstance(pairs, list) or (key in self._data and not pairs):
            self._say("", key, "is empty: give two designs")
            return ()
        good = [pair for pair in pairs if self._is_pair(key, pair)]
        if len({tuple(pair) for pair in good}) < len(good):
            self._say("", key, "a pair is given twice")
        return tuple((first, second) for first, second in good)

    def _is_pair(self, key: str, pair: Any) -> bool:
        if not isinstance(pair, list) or len(pair) != 2:
            self._say("", key, f"{pair!r}: give two designs, for example ['a', 'b']")
            return False
        known = self._known.designs
        for design in pair:
            if design not in known:
                self._say("", key, f"there is no design {design!r}; known are {', '.join(known)}")
        return all(design in known for design in pair)

    def _factors(self) -> dict[str, tuple[Any, ...]]:
        specs = {**self._traffic_specs, **{name: values.TOP[name] for name in STACK_FACTORS}}
        factors = {}
        for name, levels in self._table("factors").items():
            if name not in FACTORS:
                self._say("factors", name, f"is no factor{hint(name, FACTORS)}")
            elif not isinstance(levels, list) or not levels:
                self._say("factors", name, "is empty: give a list of at least one level")
            elif problems := list(filter(None, map(specs[name].problem, levels))):
                self._say("factors", name, "; ".join(problems))
            elif len(set(levels)) < len(levels):
                self._say("factors", name, "a level is given twice")
            else:
                factors[name] = tuple(levels)
                self._check_single(name)
        return factors

    def _check_single(self, name: str) -> None:
        """A factor has its levels, and no other value beside them."""
        if name in self._table("traffic"):
            self._say("factors", name, "is given in [traffic] too: leave one of them out")
        if name in STACK_FACTORS and name in self._data:
            self._say("factors", name, f"is given as {name} too: leave one of them out")

    def _check_loop(self, traffic: Mapping[str, Any], factors: Mapping[str, Any]) -> None:
        given = {**traffic, **factors}
        table = {name: "factors" if name in factors else "traffic" for name in given}
        if "rate" in given:
            for name in CLOSED_LOOP_KEYS:
                if name in given:
                    self._say(
                        table[name], name, "belongs to a closed loop, and rate makes it an open one"
                    )
            return
        for name in OPEN_LOOP_KEYS:
            if name in given:
                self._say(table[name], name, "belongs to an open loop: it needs a rate")

    def _check_name(self, name: str) -> None:
        if name and not name.replace("-", "").replace("_", "").isalnum():
            self._say("", "name", f"{name!r}: letters, digits, - and _ only")
        if name in RESERVED_NAMES:
            self._say("", "name", f"{name!r} is taken")

    def _stop(self, blocks: int) -> Stop | None:
        if "stop" not in self._data:
            return None
        table = dict(self._table("stop"))
        named = table.pop("metrics", [])
        read = self._read("stop", table, values.STOP, strict=True)
        if not isinstance(named, list) or not named:
            self._say("stop", "metrics", "is empty: name the metrics that decide")
            return None
        for metric in named:
            self._check_metric("stop", "metrics", metric)
        stop = Stop(tuple(map(str, named)), **read)
        if stop.min_blocks > blocks:
            self._say("stop", "min_blocks", f"{stop.min_blocks} is more than the {blocks} blocks")
        return stop

    def _check_metric(self, table: str, key: str, metric: Any) -> None:
        if metric not in METRICS:
            self._say(table, key, f"there is no metric {metric!r}{hint(metric, METRICS)}")

    def _thresholds(self, designs: Iterable[str]) -> Iterator[Threshold]:
        tables = self._data.get("thresholds", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            self._say("", "thresholds", "must be tables [[thresholds]]")
            return
        known = sorted(set(designs))
        specs: dict[str, Spec] = {
            "metric": values.Text(METRICS),
            "design": values.Text(tuple(known)),
            "min": values.Number(-math.inf, math.inf),
            "max": values.Number(-math.inf, math.inf),
        }
        for number, table in enumerate(tables, start=1):
            yield from self._threshold(f"thresholds {number}", dict(table), specs)

    def _threshold(
        self, table: str, given: dict[str, Any], specs: Mapping[str, Spec]
    ) -> Iterator[Threshold]:
        before = len(self._problems)
        ratio = given.pop("ratio", False)
        read = self._read(table, given, specs, strict=True)
        if not isinstance(ratio, bool):
            self._say(table, "ratio", f"{ratio!r} is not true or false")
        elif ratio and "design" in read:
            self._say(table, "ratio", "a ratio is of both designs: leave design out")
        if "metric" not in given:
            self._say(table, "metric", "is missing")
        if not {"min", "max"} & given.keys():
            self._say(table, "", "has neither min nor max")
        elif {"min", "max"} <= read.keys() and read["min"] > read["max"]:
            self._say(table, "min", f"{read['min']:g} is above max, {read['max']:g}")
        if len(self._problems) == before:
            yield Threshold(**read, ratio=ratio)

    def _check_size(self, plan: Plan) -> None:
        trials = 2 * plan.blocks * len(plan.cells())
        if trials > MOST_TRIALS:
            self._say("", "factors", f"make {trials:,} trials, more than {MOST_TRIALS:,}")
