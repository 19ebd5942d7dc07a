"""What goes wrong while a recording is read, as one error that names the file and the place.

Every reader of a recording reads below :func:`reading`, so no conversion can fail without a name.
"""

from __future__ import annotations

import json
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from csv import Error as CsvError
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from testbed.errors import TestbedError

MOST = 1 << 63
# Deeper than anything that is written here, and less than what any Python's own parser follows:
# where that ends differs between its versions.
DEEPEST = 100
# What reading and converting raise at content that is not what it should be.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    CsvError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
# Half of a pair is no text: it could be neither printed nor written again.
_SURROGATE = re.compile("[\ud800-\udfff]")


class RecordingError(TestbedError):
    """A file of a recording is missing or damaged; the message names the file."""


@dataclass
class Place:
    """How far a file has been read; 0 where there are no lines."""

    line: int = 0


@contextmanager
def reading(path: Path) -> Iterator[Place]:
    """Read a file within this; the reader may say at which line it is.

    Raises :class:`RecordingError` with the file, the line and what is wrong, for all that a damaged
    file makes a reader raise, and for a file that is missing or is no file: a pipe would be waited
    for, perhaps for ever.
    """
    place = Place()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RecordingError(f"{path} is no file")
        yield place
    except FileNotFoundError:
        raise RecordingError(f"{path} is missing") from None
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGE as error:
        at = f" at line {place.line}" if place.line else ""
        raise RecordingError(f"{path} is damaged{at}: {_words(error)}") from error


@contextmanager
def naming(source: str | Path) -> Iterator[None]:
    """Name the file that values come from, where they are converted after they were read."""
    try:
        yield
    except _DAMAGE as error:
        raise RecordingError(f"{source} is damaged: {_words(error)}") from error


def _words(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, LookupError):
        return f"{error} is missing"
    return str(error) or type(error).__name__


def numbered(lines: Iterator[str], place: Place) -> Iterator[str]:
    """Give lines and note the number of each."""
    for place.line, line in enumerate(lines, start=1):
        yield line


def from_json(text: str) -> Any:
    """Return what a JSON text says, if it says it once, in text and finite numbers of 64 bits.

    Raises ``ValueError`` or ``RecursionError``.
    """
    value = json.loads(
        text,
        object_pairs_hook=_object,
        parse_constant=_no_number,
        parse_float=finite,
        parse_int=whole,
    )
    if nested_too_deep(value):
        raise RecursionError
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("half of a surrogate pair is no text")
    return value


def nested_too_deep(value: object) -> bool:
    """Return whether arrays and objects lie in each other deeper than a recording may have them."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [each for one in inner for each in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return False
    return True


def finite(text: str) -> float:
    """Return a number. Raises ``ValueError`` if it is none, or not finite."""
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def whole(text: str) -> int:
    """Return a whole number of 64 bits. Raises ``ValueError``."""
    number = int(text)
    return number if -MOST < number < MOST else _no_number(text)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text:.20} is no number to reckon with")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(each for each in names if names.count(each) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return fields
