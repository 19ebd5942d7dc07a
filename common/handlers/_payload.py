"""Reads JSON payloads into frozen dataclasses whose fields define what they accept.

A parameter is a field with a default made by :func:`integer`, :func:`optional_integer`,
:func:`real` or :func:`text`; the empty payload gives all defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Params = TypeVar("Params", bound=DataclassInstance)
else:
    Params = TypeVar("Params")

MAX_SEED = 2**63 - 1


def integer(default: int, low: int, high: int) -> int:
    """Declare a whole number from ``low`` to ``high``."""
    return cast(int, _parameter(default, lambda value: _integer(value, low, high)))


def optional_integer(low: int, high: int) -> int | None:
    """Declare a whole number from ``low`` to ``high`` that may be left out."""
    return cast(
        "int | None",
        _parameter(None, lambda value: None if value is None else _integer(value, low, high)),
    )


def real(default: float, low: float, high: float) -> float:
    """Declare a number from ``low`` to ``high``."""
    return cast(float, _parameter(default, lambda value: _real(value, low, high)))


def text(default: str, longest: int) -> str:
    """Declare a string of up to ``longest`` characters."""
    return cast(str, _parameter(default, lambda value: _text(value, longest)))


def parse_json(payload: bytes, shape: type[Params]) -> Params:
    """Read a JSON object with the parameters of ``shape``.

    Raises ``ValueError`` that names everything that is wrong: bad JSON, unknown parameters and
    those with a wrong type or out of range.
    """
    given = _read_object(payload) if payload else {}
    known = {each.name: each for each in fields(shape)}
    problems = [
        f"unknown parameter {name[:40]!r} (known: {', '.join(known)})"
        for name in given.keys() - known.keys()
    ]
    values: dict[str, object] = {}
    for name in given.keys() & known.keys():
        try:
            values[name] = known[name].metadata["read"](given[name])
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise ValueError("; ".join(sorted(problems)[:10]))
    return shape(**values)


def dump_json(value: object) -> bytes:
    """Return compact JSON as UTF-8, the form of every JSON output."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _parameter(default: object, read: Callable[[object], object]) -> Field[Any]:
    return cast("Field[Any]", field(default=default, metadata={"read": read}))


def _read_object(payload: bytes) -> dict[str, object]:
    try:
        value = json.loads(
            payload.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_pairs
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object such as {}")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number in JSON")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a parameter is given twice")
    return values


def _integer(value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number, is {_shown(value)}")
    return _in_range(value, low, high)


def _real(value: object, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"must be a number, is {_shown(value)}")
    return _in_range(value, low, high)


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a string, is {_shown(value)}")
    if len(value) > longest:
        raise ValueError(f"must have at most {longest} characters, has {len(value)}")
    return value


Number = TypeVar("Number", int, float)


def _in_range(value: Number, low: Number, high: Number) -> Number:
    if not low <= value <= high:
        raise ValueError(f"must be {low} to {high}, is {_shown(value)}")
    return value


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
