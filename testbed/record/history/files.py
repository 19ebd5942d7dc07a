"""Reads the files of a history, and compresses those that are finished."""

from __future__ import annotations

import dataclasses
import gc
import gzip
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, cast

from testbed.errors import TestbedError
from testbed.record.history.lines import Damaged, Head
from testbed.record.history.model import FaultEvent, History, Operation
from testbed.record.history.part import HistoryPart

PATTERN = "history*.jsonl"
# Of the fields of a head, those that a file may be silent about.
_MAY_BE_LEFT_OUT = ("boot", "retention_us")
COMPRESSED = ".gz"
_EVERY = 20_000  # lines from one word about progress to the next
# Far more than a page of a thousand jobs; what is longer would fill memory before it is refused.
_LONGEST = 64 << 20

OnProgress = Callable[[int, int], None]


class HistoryError(TestbedError):
    """A history is missing or damaged; the message names the file, the line and what is wrong."""


def read(path: Path | str, on_progress: OnProgress = lambda _done, _total: None) -> History:
    """Read a file, or the ``history*.jsonl`` (or ``.jsonl.gz``) of a folder as one history.

    A last line without an end is what a killed writer leaves: it announces nothing and is left out.
    ``on_progress`` is called with how many bytes on disk are read, and of how many. Raises
    :class:`HistoryError`.
    """
    paths = _paths(Path(path))
    sizes = {each: _size(each) for each in paths}
    total, before = sum(sizes.values()), 0
    parts = {}
    with collector_paused():
        for each in paths:
            part = _read_file(each, partial(_add_progress, on_progress, before, total))
            before += sizes[each]
            parts[each] = part
        on_progress(total, total)
        # Where there is no head the writer was killed before it announced anything.
        heads = {each: part.head for each, part in parts.items() if part.head}
        if not heads:
            raise HistoryError(f"{paths[0]}:1: there is no head")
        unfinished = tuple(each for each, part in parts.items() if not part.closed)
        return dataclasses.replace(_merge(parts, heads), unfinished=unfinished)


def compress(path: Path) -> Path:
    """Replace a finished file by a compressed one, and return its path.

    Whenever this is interrupted, the history is still there.
    """
    final = path.with_name(path.name + COMPRESSED)
    unfinished = final.with_name(f".{final.name}.partial")
    with path.open("rb") as source, gzip.open(unfinished, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    os.replace(unfinished, final)
    path.unlink()
    return final


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from looking through millions of new values again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _add_progress(on_progress: OnProgress, before: int, total: int, now: int) -> None:
    on_progress(before + now, total)


def _paths(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    plain = set(path.glob(PATTERN))
    packed = set(path.glob(PATTERN + COMPRESSED))
    for each in sorted(packed):
        if each.with_suffix("") in plain:
            raise HistoryError(
                f"{each} and the same without {COMPRESSED} are both there",
                "an interrupted compression leaves that: remove one of them",
            )
    if not plain | packed:
        raise HistoryError(f"{path} holds no {PATTERN} and no {PATTERN}{COMPRESSED}")
    return sorted(plain | packed)


def _size(path: Path) -> int:
    """Return the bytes of a file. What is none, a pipe for example, might never be read to its end.

    Raises :class:`HistoryError`.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise HistoryError(
            f"there is no {path}", "name a history file or the folder of some"
        ) from None
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path} cannot be read: {error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise HistoryError(f"{path} is no file", "name a history file or the folder of some")
    return found.st_size


def _read_file(path: Path, on_progress: Callable[[int], None]) -> HistoryPart:
    part = HistoryPart()
    number = 0
    try:
        with path.open("rb") as raw, _unpacked(path, raw) as content:
            for number, line in enumerate(iter(partial(content.readline, _LONGEST), b""), 1):
                if len(line) == _LONGEST:
                    raise Damaged(f"is longer than {_LONGEST >> 20} MiB")
                part.take(number, line)
                if number % _EVERY == 0:
                    on_progress(raw.tell())
    except Damaged as error:
        raise HistoryError(f"{path}:{number}: {error}") from error
    except RecursionError:
        raise HistoryError(f"{path}:{number}: is nested too deep") from None
    except (EOFError, OSError, zlib.error, MemoryError) as error:
        raise HistoryError(f"{path}:{number + 1}: cannot be read: {error!r}") from error
    return part


def _unpacked(path: Path, raw: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.open(raw)) if path.suffix == COMPRESSED else raw


def _merge(parts: Mapping[Path, HistoryPart], heads: Mapping[Path, Head]) -> History:
    """Make one history, whose ids are unique, of what the files with a head hold."""
    first = min(heads.values(), key=attrgetter("clock_us"))
    operations: list[Operation] = []
    faults: list[FaultEvent] = []
    base = 0
    for path, head in heads.items():
        part = parts[path]
        for name in ("design", "ids", *_MAY_BE_LEFT_OUT):
            one, other = getattr(head, name), getattr(first, name)
            # A head without the id of the boot leaves it open whose clock it was, one without a
            # retention what is forgotten.
            if one != other and (name not in _MAY_BE_LEFT_OUT or (one and other)):
                raise HistoryError(
                    f"{path}:1: has {name} {one!r}, and another file of the folder {other!r}",
                    "the files of a folder are read as one history of one system and one machine",
                )
        operations.extend(part.operations(base))
        faults.extend(dataclasses.replace(each, id=each.id + base) for each in part.faults.values())
        base += part.last + 1
    operations.sort(key=attrgetter("invoked", "id"))
    faults.sort(key=attrgetter("begun", "id"))
    return History(
        tuple(operations),
        tuple(faults),
        first.design,
        first.unix_us,
        first.clock_us,
        ids=first.ids,
        retention_us=max(head.retention_us for head in heads.values()),
    )
