"""Header blocks in both directions: hpack, and a memory of what it made of equal ones.

A block depends on nothing but its fields (or bytes) and on the dynamic table of its direction. As
long as that table stays as it is, equal input gives equal output, so that is kept; whatever changes
the table forgets all that was kept. The fields that a channel sends with every call go into the
table with its first call to a method, and each later block is a few bytes, known beforehand.
"""

from __future__ import annotations

from functools import lru_cache

from hpack import Decoder, Encoder, HPACKError
from hpack.table import HeaderTable

from .frames import COMPRESSION_ERROR, ConnectionFault
from .metadata import Block, Fields, read, timeout

# Of a peer's settings, as of the default: more would only cost memory.
LARGEST_TABLE = 4096
# What a peer is asked to keep to, and beyond which its header lists end the call, or worse.
LARGEST_LIST = 16_384
LARGEST_BLOCK = 65_536
# What is kept: of blocks that do not repeat there is no end.
_KEPT = 256
_KEPT_BYTES = 256


class BlockEncoder:
    """Makes the header blocks of one connection; each has to be sent, and in this order."""

    def __init__(self) -> None:
        self._hpack = Encoder()
        self._known: dict[Fields, bytes] = {}

    def resize(self, size: int) -> None:
        """Keep to the table that the peer allows, in bytes."""
        self._known.clear()
        self._hpack.header_table_size = min(size, LARGEST_TABLE)

    def encode(self, fields: Fields) -> bytes:
        """Return the block of fields that other calls have too."""
        known = self._known.get(fields)
        if known is not None:
            return known
        before = _Mark(self._hpack.header_table)
        resized = self._hpack.header_table.resized
        # Huffman's code costs more time here than it saves bytes.
        block = bytes(self._hpack.encode(fields, huffman=False))
        if resized or before.is_left() or len(self._known) >= _KEPT:
            self._known.clear()
        else:
            self._known[fields] = block
        return block


# Writes only fields that are never indexed, so that its table stays empty.
_LITERALS = Encoder()


def literal(fields: Fields) -> bytes:
    """Return fields that enter no table, so that they may stand in any block."""
    named = [(name, value, True) for name, value in fields]
    return bytes(_LITERALS.encode(named, huffman=False))


@lru_cache(maxsize=1024)
def timeout_field(seconds: float) -> bytes:
    """Return the field that passes a deadline on, to stand in any block."""
    return literal((("grpc-timeout", timeout(seconds)),))


class BlockDecoder:
    """Reads the header blocks of one connection; it has to be given every one."""

    def __init__(self) -> None:
        self._hpack = Decoder(max_header_list_size=LARGEST_BLOCK)
        self._known: dict[bytes, Block] = {}

    def decode(self, block: bytes) -> Block:
        """Return what a block says. Raises :class:`ConnectionFault` if it cannot be read."""
        known = self._known.get(block)
        if known is not None:
            return known
        before = _Mark(self._hpack.header_table)
        try:
            fields = self._hpack.decode(block, raw=True)
        except HPACKError as error:
            raise ConnectionFault(COMPRESSION_ERROR, f"a header block: {error}") from error
        result = read([(bytes(name), bytes(value)) for name, value in fields])
        if before.is_left() or len(self._known) >= _KEPT:
            self._known.clear()
        elif len(block) <= _KEPT_BYTES:
            self._known[block] = result
        return result


class _Mark:
    """How a table is at a moment. Every entry is an object of its own, the newest is the first."""

    __slots__ = ("_first", "_length", "_size", "_table")

    def __init__(self, table: HeaderTable) -> None:
        entries = table.dynamic_entries
        self._table = table
        self._length = len(entries)
        self._first = entries[0] if entries else None
        self._size = table.maxsize

    def is_left(self) -> bool:
        """Whether the table has changed since."""
        entries = self._table.dynamic_entries
        return (
            len(entries) != self._length
            or (entries[0] if entries else None) is not self._first
            or self._table.maxsize != self._size
        )
