"""Reads plans of any kind: TOML files, checked as a whole before anything starts.

A kind of plan derives from :class:`PlanReader` and reads its tables; what is wrong is collected, so
that all of it is reported at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.drive.key_values import read_key_values
from testbed.drive.values import Spec, hint
from testbed.errors import TestbedError

SUFFIX = ".toml"


class PlanError(TestbedError):
    """A plan cannot be run; the message names the file and every key that is wrong."""


@dataclass(frozen=True)
class PlanSource:
    """Where the values of a plan are from: ``file``, and by key the option that replaced it."""

    file: str
    options: Mapping[str, str] = field(default_factory=dict)

    def label(self, table: str, key: str) -> str:
        """Name the place of a key."""
        if key in self.options:
            return self.options[key]
        where = f"[{table}] {key}" if table and key else f"[{table}]" if table else key
        return f"{self.file}: {where}"


class PlanReader:
    """Reads the tables of one plan and collects what is wrong with them."""

    def __init__(self, data: Mapping[str, Any], source: PlanSource) -> None:
        self._data = data
        self._source = source
        self._problems: list[str] = []

    def _reject(self, table: str, key: str, problem: str) -> None:
        self._problems.append(f"{self._source.label(table, key)}: {problem}")

    def _raise_problems(self) -> None:
        """Raise :class:`PlanError` with all problems, if there are any."""
        if self._problems:
            raise PlanError("\n".join(self._problems))

    def _check_keys(self, known: Sequence[str], required: Iterable[str]) -> None:
        """Find keys that no such plan has, and those that are missing."""
        for key in self._data:
            if key not in known:
                self._reject("", key, f"unknown key{hint(key, known)}")
        for key in required:
            if key not in self._data:
                self._reject("", key, "is missing")

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self._data.get(name, {})
        if isinstance(table, dict):
            return table
        self._reject("", name, f"must be a table [{name}]")
        return {}

    def _tables(self, name: str) -> list[dict[str, Any]]:
        tables = self._data.get(name, [])
        if isinstance(tables, list) and all(isinstance(each, dict) for each in tables):
            return [dict(each) for each in tables]
        self._reject("", name, f"must be tables [[{name}]]")
        return []

    def _top(self, specs: Mapping[str, Spec]) -> dict[str, Any]:
        """Return the possible values of the keys that are in no table."""
        return self._values("", {k: v for k, v in self._data.items() if k in specs}, specs)

    def _values(
        self, table: str, given: Mapping[str, Any], specs: Mapping[str, Spec]
    ) -> dict[str, Any]:
        """Return the possible values of a table."""
        read = {}
        for key, value in given.items():
            if key not in specs:
                self._reject(table, key, f"unknown key{hint(key, specs)}")
            elif problem := specs[key].problem(value):
                self._reject(table, key, problem)
            else:
                read[key] = value
        return read


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


def find(folder: Path, plan: str) -> Path:
    """Return the file of a plan, given by its name in ``folder`` or by a path.

    Raises :class:`PlanError` if there is none, or if two files have that name.
    """
    if plan.endswith(SUFFIX):
        return Path(resolved(plan))
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


def changes_from(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` texts; the value is as in a plan, several levels have commas between them.

    Raises :class:`PlanError` for anything else and for a key that is given twice.
    """
    texts = read_key_values(pairs, "users=10,20", PlanError)
    return {key: _value(key, text) for key, text in texts.items()}


def _value(key: str, text: str) -> Any:
    """Read a value as TOML; a bare word is a text, and bare words with commas are a list."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    # A mix has commas of its own; several of them are given as a list in brackets.
    if "," not in text or key == "mix":
        return text
    return [_value(key, part.strip()) for part in text.split(",")]
