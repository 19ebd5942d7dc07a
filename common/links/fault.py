"""What can happen to the calls of a link."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

MOST_SECONDS = 3600.0


@dataclass(frozen=True)
class Delay:
    """How late messages come: ``fixed`` seconds, and up to ``random`` more, drawn evenly.

    Raises ``ValueError`` for less than nothing and for more than :data:`MOST_SECONDS`.
    """

    fixed: float = 0.0
    random: float = 0.0

    def __post_init__(self) -> None:
        for name, seconds in (("fixed", self.fixed), ("random", self.random)):
            _check(f"the {name} part of a delay", seconds)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.fixed > 0 or self.random > 0


@dataclass(frozen=True)
class LinkFault:
    """What happens to the calls of a link; by default nothing.

    A lost request is never sent on, a lost answer never sent back: either way the caller waits
    until its deadline. ``repeat_part`` of the calls, from 0 to 1, reach the callee a second time,
    up to ``repeat_within`` seconds later. Equal seeds give equal draws, call by call. Raises
    ``ValueError`` for what is out of range.
    """

    lose_requests: bool = False
    lose_answers: bool = False
    delay_requests: Delay = field(default_factory=Delay)
    delay_answers: Delay = field(default_factory=Delay)
    repeat_part: float = 0.0
    repeat_within: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.repeat_part <= 1:
            raise ValueError(f"the part of calls to repeat is {self.repeat_part:g}, not 0 to 1")
        _check("the time within which a call is repeated", self.repeat_within)

    def __bool__(self) -> bool:
        """Whether anything happens at all."""
        lost, late = self.lose_requests or self.lose_answers, self.delay_requests
        return lost or bool(late or self.delay_answers) or self.repeat_part > 0


@dataclass(frozen=True)
class CallFault:
    """What was drawn for one call, in seconds; no second time if that is ``None``."""

    request_delay: float = 0.0
    answer_delay: float = 0.0
    repeat_after: float | None = None


class CallFaultSampler:
    """Draws the fate of one call after the other under a fault."""

    def __init__(self, fault: LinkFault) -> None:
        self._fault = fault
        self._random = random.Random(fault.seed)

    def draw(self) -> CallFault:
        """Draw for the next call: the same number of draws for each, whatever they are used for."""
        fault, drawn = self._fault, [self._random.random() for _ in range(4)]
        return CallFault(
            _late(fault.delay_requests, drawn[0]),
            _late(fault.delay_answers, drawn[1]),
            drawn[3] * fault.repeat_within if drawn[2] < fault.repeat_part else None,
        )


def _late(delay: Delay, drawn: float) -> float:
    return delay.fixed + drawn * delay.random


def _check(what: str, seconds: float) -> None:
    # Not a number is neither, and is refused too.
    if not 0 <= seconds <= MOST_SECONDS:
        raise ValueError(f"{what} is {seconds:g} seconds, not 0 to {MOST_SECONDS:g}")


NONE = LinkFault()
