"""Metadata, timeouts and messages, as they are written in header fields and read from them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

Fields = tuple[tuple[str, str], ...]

_BINARY = "-bin"
# What a block says to the transport, not to whoever called.
_RESERVED = frozenset({"content-type", "grpc-status", "grpc-message", "grpc-encoding"})
_KEY = re.compile(r"[0-9a-z_.-]+\Z")
_VALUE = re.compile(r"[ -~]*\Z")
# Of each entry, by RFC 9113, section 6.5.2.
_ENTRY_BYTES = 32
_UNITS = ((1e-6, "u"), (1e-3, "m"), (1.0, "S"), (60.0, "M"), (3600.0, "H"))
_DIGITS = 8


class Metadatum(NamedTuple):
    """One entry; the value of a key that ends in ``-bin`` is bytes."""

    key: str
    value: str | bytes


Metadata = tuple[Metadatum, ...]


class Block(NamedTuple):
    """What a header block of an answer says.

    ``http`` is its ``:status`` and ``grpc`` its ``grpc-status``, ``None`` where it has none and -1
    where it is no number; ``size`` is that of its list of fields, in bytes.
    """

    http: int | None
    grpc: int | None
    message: str
    encoding: str
    metadata: Metadata
    size: int


def read(fields: Sequence[tuple[bytes, bytes]]) -> Block:
    """Read the fields of a block, whatever they are."""
    named = dict(fields)
    return Block(
        _number(named.get(b":status")),
        _number(named.get(b"grpc-status")),
        unquote_to_bytes(named.get(b"grpc-message", b"")).decode("utf-8", "replace"),
        named.get(b"grpc-encoding", b"identity").decode("latin-1"),
        tuple(_entries(fields)),
        sum(len(name) + len(value) + _ENTRY_BYTES for name, value in fields),
    )


def _number(text: bytes | None) -> int | None:
    if text is None:
        return None
    return int(text) if text.isdigit() and len(text) < _DIGITS else -1


def _entries(fields: Iterable[tuple[bytes, bytes]]) -> Iterable[Metadatum]:
    for name, value in fields:
        key = name.decode("latin-1")
        if key.startswith(":") or key in _RESERVED:
            continue
        if not key.endswith(_BINARY):
            yield Metadatum(key, value.decode("utf-8", "replace"))
            continue
        # Equal keys may have been joined on the way.
        for part in value.split(b","):
            yield Metadatum(key, _unpacked(part.strip()))


def _unpacked(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def written(metadata: Iterable[tuple[str, str | bytes]]) -> Fields:
    """Return metadata as header fields. Raises ``ValueError`` for what cannot be one."""
    return tuple(_field(key, value) for key, value in metadata)


def _field(key: str, value: str | bytes) -> tuple[str, str]:
    if not _KEY.match(key):
        raise ValueError(f"metadata was invalid: {key!r} is no key")
    if key.endswith(_BINARY):
        data = value.encode() if isinstance(value, str) else value
        return key, base64.b64encode(data).rstrip(b"=").decode()
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not _VALUE.match(text):
        raise ValueError(f"metadata was invalid: the value of {key} is no text in ASCII")
    return key, text


@lru_cache(maxsize=1024)
def timeout(seconds: float) -> str:
    """Return a time as ``grpc-timeout`` has it: never less, and more by a unit at most."""
    for unit, letter in _UNITS:
        count = ceil(round(seconds / unit, 3))
        if count < 10**_DIGITS:
            return f"{max(count, 1)}{letter}"
    return "9" * _DIGITS + "H"
