"""Turns what JSON says into values of a declared type, or says which key is something else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def typed(value: Any, kind: Any, key: str = "") -> Any:
    """Return a value of JSON as ``kind``; ``key`` is the path to it.

    ``kind`` is ``Any``, ``bool``, ``int``, ``float`` (whole numbers too), ``str``, ``None``, a
    union of these, ``tuple[T, ...]``, ``list[T]``, ``Mapping[str, T]``, a dataclass, which takes no
    other fields than its own, or a ``TypedDict``, which keeps what it does not declare. Raises
    ``ValueError`` that names the key.
    """
    if kind is Any:
        return value
    if kind in _WORDS:
        return _plain(value, kind, key)
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, kind, key)
    if is_typeddict(kind):
        return _table(value, kind, key)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _either(value, parts, key)
    if origin in {list, tuple}:
        if not isinstance(value, list):
            raise _wrong(value, "a list", key)
        return origin(typed(each, parts[0], f"{key}[{at}]") for at, each in enumerate(value))
    _require_object(value, key)
    return {name: typed(each, parts[1], _below(key, name)) for name, each in value.items()}


def _plain(value: Any, kind: Any, key: str) -> Any:
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise _wrong(value, _WORDS[kind], key)


def _either(value: Any, kinds: tuple[Any, ...], key: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    (kind,) = (each for each in kinds if each is not NoneType)
    return typed(value, kind, key)


def _dataclass(value: Any, kind: Any, key: str) -> Any:
    _require_object(value, key)
    hints = _hints(kind)
    for name in value:
        if name not in hints:
            raise ValueError(f"{_below(key, name)} is not known")
    for field in dataclasses.fields(kind):
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in value:
            raise ValueError(f"{_below(key, field.name)} is missing")
    return kind(
        **{name: typed(each, hints[name], _below(key, name)) for name, each in value.items()}
    )


def _table(value: Any, kind: Any, key: str) -> dict[str, Any]:
    _require_object(value, key)
    hints = _hints(kind)
    for name in hints:
        if name in kind.__required_keys__ and name not in value:
            raise ValueError(f"{_below(key, name)} is missing")
    return {
        name: typed(each, hints.get(name, Any), _below(key, name)) for name, each in value.items()
    }


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _require_object(value: Any, key: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(value, "an object", key)


def _wrong(value: Any, what: str, key: str) -> ValueError:
    return ValueError(f"{key or 'it'} is {value!r:.40}, not {what}")


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
