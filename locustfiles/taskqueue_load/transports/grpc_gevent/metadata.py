"""Metadata, timeouts and messages, as they are written in header fields and read from them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

Fields = tuple[tuple[str, str], ...]

_BINARY = "-bin"
# What a block says to the transport, not to whoever called.
_OF_ANSWERS = frozenset(
    {"content-type", "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding"}
)
# What a channel itself says with every call; metadata under these names is left out, as by grpcio.
_OF_CALLS = frozenset(
    {"te", "content-type", "user-agent", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding"}
)
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

    ``http`` is its ``:status`` and ``grpc`` its ``grpc-status``, ``None`` where it has none;
    ``wrong`` names what in it cannot be read, and ``size`` is that of its list of fields, in bytes.
    """

    http: int | None
    grpc: int | None
    message: str
    encoding: str
    metadata: Metadata
    wrong: str
    size: int


def read(fields: Sequence[tuple[bytes, bytes]]) -> Block:
    """Read the fields of a block, whatever they are."""
    named = dict(fields)
    wrong: list[str] = []
    return Block(
        _number(named, b":status", wrong),
        _number(named, b"grpc-status", wrong),
        _text(unquote_to_bytes(named.get(b"grpc-message", b""))),
        _text(named.get(b"grpc-encoding", b"identity")),
        tuple(_entries(fields, wrong)),
        ", ".join(wrong),
        sum(len(name) + len(value) + _ENTRY_BYTES for name, value in fields),
    )


def _number(named: Mapping[bytes, bytes], name: bytes, wrong: list[str]) -> int | None:
    text = named.get(name)
    if text is None:
        return None
    if text.isdigit() and len(text) < _DIGITS:
        return int(text)
    wrong.append(_text(name))
    return None


def _entries(fields: Iterable[tuple[bytes, bytes]], wrong: list[str]) -> Iterable[Metadatum]:
    for name, value in fields:
        key = _text(name)
        if key.startswith(":") or key in _OF_ANSWERS:
            continue
        if not _KEY.match(key):
            wrong.append(key)
        if not key.endswith(_BINARY):
            yield Metadatum(key, _text(value))
            continue
        # Equal keys may have been joined on the way.
        for part in value.split(b","):
            yield Metadatum(key, _unpacked(key, part.strip(), wrong))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _unpacked(key: str, text: bytes, wrong: list[str]) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        wrong.append(key)
        return b""


def written(metadata: Iterable[tuple[str, str | bytes]]) -> Fields:
    """Return metadata as header fields.

    Raises ``ValueError`` for what cannot be one, ``TypeError`` for what is no text or no bytes.
    """
    return tuple(_field(key, value) for key, value in metadata if key not in _OF_CALLS)


def _field(key: str, value: str | bytes) -> tuple[str, str]:
    if not isinstance(key, str) or not isinstance(value, str | bytes):
        raise TypeError(f"metadata has to be text or bytes, not {key!r}: {value!r}")
    if not _KEY.match(key):
        raise ValueError(f"{key!r} cannot be a key of metadata")
    if key.endswith(_BINARY):
        if isinstance(value, str):
            raise TypeError(f"the value of {key} has to be bytes, not text")
        return key, base64.b64encode(value).rstrip(b"=").decode()
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not _VALUE.match(text):
        raise ValueError(f"the value of {key} has to be printable ASCII")
    return key, text


def list_size(fields: Fields) -> int:
    """Return the size of fields as HTTP/2 counts it, in bytes."""
    return sum(len(name) + len(value) + _ENTRY_BYTES for name, value in fields)


def timeout(seconds: float) -> str:
    """Return a time as ``grpc-timeout`` has it: never less, and more by a unit at most."""
    for unit, letter in _UNITS:
        count = ceil(round(seconds / unit, 3))
        if count < 10**_DIGITS:
            return f"{max(count, 1)}{letter}"
    return "9" * _DIGITS + "H"
