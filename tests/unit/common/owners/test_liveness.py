"""The liveness owner: which workers live, and what they hold."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from common.domain.job import Execution
from common.metrics import watch_liveness
from common.owners.liveness import LivenessOwner
from tests.support.owners import HandClock

ONE, TWO = Execution("a", 1), Execution("b", 1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def liveness(clock: HandClock) -> LivenessOwner:
    return LivenessOwner(clock, timeout=3.0)


def test_silent_worker_expires_with_what_it_held(liveness: LivenessOwner, clock: HandClock) -> None:
    liveness.seen("w", 2)
    liveness.assign("w", [ONE, TWO])
    clock.advance(3.1)
    assert liveness.expire() == {"w": [ONE, TWO]}
    assert (liveness.alive(), liveness.held()) == (0, [])


def test_worker_with_heartbeats_stays_alive(liveness: LivenessOwner, clock: HandClock) -> None:
    liveness.seen("w", 2)
    for _ in range(5):
        clock.advance(2.9)
        liveness.seen("w", 2)
        assert liveness.expire() == {}


def test_time_until_next_expiry_is_that_of_the_most_silent(
    liveness: LivenessOwner, clock: HandClock
) -> None:
    assert liveness.until_next_expiry() is None
    liveness.seen("w", 1)
    clock.advance(1)
    liveness.seen("v", 1)
    assert liveness.until_next_expiry() == pytest.approx(2)


def test_heartbeat_age_is_that_of_the_most_silent_and_shows_in_the_metrics(
    liveness: LivenessOwner, clock: HandClock
) -> None:
    registry = CollectorRegistry()
    watch_liveness(liveness, registry)
    assert registry.get_sample_value("taskqueue_heartbeat_age_seconds") == 0
    liveness.seen("w", 1)
    clock.advance(2)
    liveness.seen("v", 1)
    clock.advance(0.5)
    assert registry.get_sample_value("taskqueue_heartbeat_age_seconds") == pytest.approx(2.5)
    liveness.seen("w", 1)
    assert registry.get_sample_value("taskqueue_heartbeat_age_seconds") == pytest.approx(0.5)


def test_restarted_coordinator_learns_what_runs_from_heartbeats(liveness: LivenessOwner) -> None:
    liveness.seen("w", 2)
    assert liveness.reconcile("w", [ONE]) == []
    assert liveness.held() == [ONE]
    assert (liveness.slots(), liveness.slots_busy()) == (2, 1)


def test_fresh_assignment_missing_from_a_heartbeat_is_still_on_its_way(
    liveness: LivenessOwner, clock: HandClock
) -> None:
    liveness.seen("w", 2)
    liveness.assign("w", [ONE])
    clock.advance(2.9)
    assert liveness.reconcile("w", []) == []


def test_assignment_that_never_arrived_is_found(liveness: LivenessOwner, clock: HandClock) -> None:
    liveness.seen("w", 2)
    liveness.assign("w", [ONE, TWO])
    clock.advance(3.1)
    assert liveness.reconcile("w", [TWO]) == [ONE]
    assert liveness.held() == [TWO]


def test_settled_execution_is_held_no_longer(liveness: LivenessOwner) -> None:
    liveness.seen("w", 2)
    liveness.assign("w", [ONE])
    liveness.settle("w", [ONE])
    liveness.settle("stranger", [TWO])
    assert liveness.held() == []
