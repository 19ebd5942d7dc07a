from __future__ import annotations

from common.worker.backoff import Backoff


def test_waits_double_up_to_the_cap_with_jitter_below() -> None:
    backoff = Backoff(first=0.05, cap=1.0)
    for full in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
        assert full / 2 <= backoff.next_delay() <= full


def test_wait_stays_at_the_cap_after_any_number_of_failures() -> None:
    backoff = Backoff(first=0.05, cap=1.0)
    assert max(backoff.next_delay() for _ in range(5000)) <= 1.0


def test_success_starts_over() -> None:
    backoff = Backoff(first=0.05, cap=1.0)
    for _ in range(5):
        backoff.next_delay()

    backoff.reset()

    assert backoff.next_delay() <= 0.05
