"""For how long an answer may be kept, so that no copy says what its owner says no more."""

from __future__ import annotations

import struct

from common.domain.job import MICROSECONDS
from common.ports import Clock

SLACK = 2.0
"""Seconds by which the clocks of the processes of a stack may differ."""
SETTLED = 60.0
"""Seconds after its end from which on no job is taken back by a store that may lose some writes."""
MOST_BYTES = 64 << 10
"""Bytes of the largest answer that is kept."""
LONGEST = 86_400.0
"""Seconds after which a copy is dropped that would be right for ever."""
# What an accepted job survives where its end, once it was answered, may still be lost while the job
# itself is not: it would run again, and may end otherwise.
_UNSETTLED = frozenset({"process", "delayed"})
_UNTIL = struct.Struct(">q")
_FOR_EVER = (1 << 63) - 1


class Keeping:
    """Says which answers are kept until when, on the clock of the jobs.

    ``retention`` is that of the jobs in seconds, 0 for ever; ``durability`` one of the words of
    :mod:`common.guarantees`. Moments are in microseconds since the epoch.
    """

    def __init__(self, clock: Clock, retention: float, durability: str) -> None:
        self._clock = clock
        self._kept = int((retention - SLACK) * MICROSECONDS) if retention else None
        self._settles = int(SETTLED * MICROSECONDS) if durability in _UNSETTLED else 0

    @property
    def settles(self) -> bool:
        """Whether an answer may be kept only from some time after the end of its job on."""
        return self._settles > 0

    def is_settled(self, moment: int) -> bool:
        """Whether a job is never taken back that ended then; one that ended later may be."""
        return not self._settles or self._clock.now() - moment >= self._settles

    def packed(self, answer: bytes, ended: int) -> tuple[bytes, int]:
        """Return an answer as it is kept, and for how many milliseconds, 0 for one that is not.

        ``ended`` is when its job ended, or any moment before if it is settled.
        """
        age = self._clock.now() - ended
        # One from the future shows that this clock is behind by more than is provided for.
        if len(answer) > MOST_BYTES or age < -SLACK * MICROSECONDS or not self.is_settled(ended):
            return b"", 0
        longest = int(LONGEST * MICROSECONDS)
        if self._kept is None:
            return _UNTIL.pack(_FOR_EVER) + answer, longest // 1000
        left = min(self._kept - age, longest) // 1000
        return (_UNTIL.pack(ended + self._kept) + answer, left) if left > 0 else (b"", 0)

    def unpacked(self, kept: bytes) -> bytes | None:
        """Return the answer in what was kept, ``None`` if its time is over.

        Raises ``struct.error`` for what this class has not packed.
        """
        (until,) = _UNTIL.unpack_from(kept)
        return kept[_UNTIL.size :] if self._clock.now() < until else None
