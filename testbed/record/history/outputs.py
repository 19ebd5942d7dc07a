"""What jobs give whose output is decided by their payload alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from common.handlers import sleep, spin, text_stats, word_count
from common.handlers._text import parse_text


def output_of(kind: str, payload: bytes) -> bytes | None:
    """Return what every execution of a job gives that succeeds.

    ``None`` if that is not known: the kind is another, it is random, no execution can
    succeed, or the payload is none that the kind can read.
    """
    compute = _OUTPUTS.get(kind)
    try:
        return None if compute is None else compute(payload)
    except ValueError:
        return None


def _sleep(payload: bytes) -> bytes | None:
    params = sleep.parse(payload)
    if params.seed is None and params.jitter:
        return None
    drawn = sleep.plan(params)
    fails = drawn.fails and params.seed is not None
    return None if fails else sleep.output(drawn)


def _spin(payload: bytes) -> bytes:
    return spin.output(spin.parse(payload))


_OUTPUTS: Mapping[str, Callable[[bytes], bytes | None]] = {
    "noop": lambda _payload: b"",
    "sleep": _sleep,
    "spin": _spin,
    "text_stats": lambda payload: text_stats.run(parse_text(payload)),
    "word_count": lambda payload: word_count.run(parse_text(payload)),
}
