"""What a process shows of its store."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from common.domain.errors import DeadlineAlreadyPast, StoreFull, StoreUnready
from common.stores.failing import noting_failures
from common.stores.metrics import StoreMetrics

OLD, NEW = "127.0.0.1:1", "127.0.0.1:2"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> StoreMetrics:
    made = StoreMetrics()
    made.expose(registry)
    return made


def primary(registry: CollectorRegistry, address: str) -> float | None:
    labels = {"store": "redis-job", "address": address}
    return registry.get_sample_value("taskqueue_store_primary", labels)


def test_the_primary_is_the_server_that_was_connected_to_last(
    metrics: StoreMetrics, registry: CollectorRegistry
) -> None:
    assert primary(registry, OLD) is None
    metrics.connected("redis-job", OLD)
    assert primary(registry, OLD) == 1
    metrics.connected("redis-job", NEW)
    assert primary(registry, OLD) is None
    assert primary(registry, NEW) == 1


def test_a_primary_changes_when_a_connection_leads_elsewhere_and_not_when_one_is_made_again(
    metrics: StoreMetrics, registry: CollectorRegistry
) -> None:
    changes = []
    for address in (OLD, OLD, NEW, NEW, OLD):
        metrics.connected("redis-job", address)
        changes.append(registry.get_sample_value("taskqueue_store_primary_changes_total"))
    assert changes == [0, 0, 1, 1, 2]
    assert registry.get_sample_value("taskqueue_store_connects_total") == 5


def test_failures_are_counted_by_reason_but_not_a_caller_who_came_too_late(
    metrics: StoreMetrics, registry: CollectorRegistry
) -> None:
    for error in (StoreFull("redis", "OOM"), StoreUnready("redis", "x"), DeadlineAlreadyPast()):
        with pytest.raises(type(error)), noting_failures(metrics):
            raise error
    with noting_failures(metrics):
        pass
    counted = {
        each.labels["reason"]: each.value
        for family in registry.collect()
        for each in family.samples
        if each.name == "taskqueue_store_errors_total"
    }
    assert counted == {"STORE_FULL": 1, "STORE_UNREADY": 1, "STORE_UNREACHABLE": 0}
