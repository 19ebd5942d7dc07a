"""What a simulation puts a design through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from tests.simulation.clients import (
    Client,
    act_at_random,
    act_calmly,
    act_for_long,
    act_impatiently,
    act_in_crowds,
    act_with_request_ids,
    submit_many,
)
from tests.simulation.network import Weather


@dataclass(frozen=True)
class Scenario:
    """Traffic, and what goes wrong meanwhile. Times are in seconds.

    The ``clients`` act for ``seconds``; then all that goes wrong is over, and every job has to end
    within ``drain``. ``durations`` are the longest times that executions take, and how often each
    is drawn. One that is ``calm`` promises that nothing excuses a second attempt.
    """

    name: str
    traffic: Callable[[Client, float], Awaitable[None]]
    clients: int
    seconds: float
    drain: float
    durations: Sequence[tuple[float, int]]
    weather: Callable[[Random], Weather] = field(default=lambda random: Weather())
    faults: bool = False
    grows: bool = False
    """Whether a node joins and one leaves, in a design of equal nodes."""
    calm: bool = False
    most_jobs: tuple[int, ...] = (1000,)
    """What ``max_queued_jobs`` is drawn from."""
    slots: int = 6
    audit_every: int = 1
    """Of how many jobs one is looked up at the end."""
    retention: float = 0.0
    cached: bool = False
    """Whether there is a cache in front of those that clients call."""


def _stormy(random: Random) -> Weather:
    return Weather(
        lost=random.choice((0.0, 0.01)),
        repeated=random.choice((0.0, 0.02)),
        late=random.choice((0.0, 0.02)),
        repeated_late=random.choice((0.0, 0.02)),
    )


_SHORT = ((0.5, 60), (3.0, 25), (9.0, 15))

FAULTS = Scenario(
    "faults",
    act_at_random,
    clients=5,
    seconds=10.0,
    drain=45.0,
    # At times longer than a lease.
    durations=_SHORT,
    weather=_stormy,
    faults=True,
    most_jobs=(1000, 1000, 8),
)
LATE = Scenario(
    "late repeats",
    act_at_random,
    clients=5,
    seconds=8.0,
    drain=90.0,
    durations=((0.5, 60), (3.0, 20), (20.0, 20)),
    weather=lambda random: Weather(repeated_late=0.2),
    slots=12,
)
CALM = Scenario(
    "calm",
    act_calmly,
    clients=4,
    seconds=40.0,
    drain=120.0,
    # Many that end together, and some that take many times a lease.
    durations=((0.01, 40), (0.5, 35), (3.0, 10), (40.0, 15)),
    calm=True,
    slots=12,
)
HORIZON = Scenario(
    "horizon",
    submit_many,
    clients=2,
    seconds=0.0,
    drain=45.0,
    durations=((0.01, 1),),
    calm=True,
    most_jobs=(10_000,),
    audit_every=50,
)
CROWDS = Scenario(
    "crowds",
    act_in_crowds,
    clients=3,
    seconds=8.0,
    drain=60.0,
    durations=((0.01, 50), (0.5, 40), (3.0, 10)),
    weather=_stormy,
    faults=True,
    slots=12,
)
IMPATIENT = Scenario(
    "impatient",
    act_impatiently,
    clients=3,
    seconds=8.0,
    drain=60.0,
    durations=((0.01, 50), (0.5, 40), (3.0, 10)),
    calm=True,
    slots=12,
)
RETENTION = Scenario(
    "retention",
    act_for_long,
    clients=4,
    seconds=25.0,
    drain=45.0,
    durations=_SHORT,
    weather=_stormy,
    faults=True,
    # Shorter than the longest executions.
    retention=6.0,
)
CACHE = replace(RETENTION, name="cache", cached=True)
GROWTH = Scenario(
    "growth",
    act_with_request_ids,
    clients=5,
    seconds=10.0,
    drain=60.0,
    durations=((0.01, 50), (0.5, 40), (3.0, 10)),
    grows=True,
    slots=12,
)
GROWTH_UNDER_FAULTS = replace(GROWTH, name="growth under faults", weather=_stormy, faults=True)
SCENARIOS = {
    each.name: each
    for each in (FAULTS, LATE, CALM, HORIZON, CROWDS, IMPATIENT, RETENTION, CACHE, GROWTH)
}
