"""Job ids: 16 characters that sort by time of acceptance and name the job's home.

80 bits as lower-case base32hex (RFC 4648, section 7), whose alphabet sorts like the bits:
52 bits of microseconds since the epoch, 8 bits of home node, 20 bits that differ between two
starts of the same node, so that a restarted node never repeats an id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.domain.errors import MalformedJobId

HOME_LIMIT = 1 << 8
BOOT_LIMIT = 1 << 20
_TIME_LIMIT = 1 << 52
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHAPE = re.compile(r"[0-9a-v]{16}\Z")


class IdMint:
    """Makes the ids of one home; each is higher than the one before, even within a microsecond."""

    def __init__(self, home: int, boot: int) -> None:
        if not 0 <= home < HOME_LIMIT:
            raise ValueError(f"home must be 0 to {HOME_LIMIT - 1}, not {home}")
        self._suffix = home << 20 | boot % BOOT_LIMIT
        self.latest = 0
        """The time in the id that was given last."""

    def next(self, now: int) -> str:
        """Return the next id at ``now``, in microseconds since the epoch."""
        self.latest = max(self.latest + 1, now)
        return _encode((self.latest % _TIME_LIMIT) << 28 | self._suffix)


@dataclass(frozen=True, slots=True)
class ParsedId:
    """The parts of an id: time in microseconds since the epoch, home node, boot number."""

    time: int
    home: int
    boot: int


def parse(job_id: str) -> ParsedId:
    """Take an id apart. Raises :class:`MalformedJobId` for any other text."""
    check(job_id)
    bits = int(job_id, 32)
    return ParsedId(time=bits >> 28, home=bits >> 20 & (HOME_LIMIT - 1), boot=bits % BOOT_LIMIT)


def successor(job_id: str) -> str:
    """Return the lowest id above this one. Raises :class:`MalformedJobId` for any other text."""
    check(job_id)
    return _encode(int(job_id, 32) + 1)


def check(job_id: str) -> None:
    """Raise :class:`MalformedJobId` unless the text has the shape of an id."""
    if not _SHAPE.match(job_id):
        raise MalformedJobId("job_id", f"{job_id[:40]!r} is not 16 characters of 0-9 and a-v")


def _encode(bits: int) -> str:
    """Write 80 bits, two characters at a time."""
    return "".join([_PAIRS[bits >> shift & 1023] for shift in range(70, -1, -10)])
