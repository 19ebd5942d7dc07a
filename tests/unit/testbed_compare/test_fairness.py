from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from common.config import Settings
from common.rpc import identity
from testbed.experiment.fairness import Fairness, Identity, Unfair, differences, parse, state
from testbed.spec import StackSpec


def identity_of(queue: bool = False, **settings: object) -> Identity:
    """What a process with these settings says, by way of its metrics page."""
    registry = CollectorRegistry()
    given = {"name": "x", "listen": "h:1", "metrics": "h:2", **settings}
    identity.expose(Settings(**given), registry)  # type: ignore[arg-type]
    if queue:
        Gauge("taskqueue_queue_depth", "x", registry=registry)
    return parse(generate_latest(registry).decode())


def stack(design: str, workers: int, slots: int, **settings: object) -> dict[str, Identity]:
    return {
        f"{design}-{number}": identity_of(True, slots=slots, fetchers=1, **settings)
        for number in range(workers)
    }


def test_process_says_its_settings_code_and_handlers() -> None:
    said = identity_of(slots=3, lease=7.5)
    assert (said.settings["slots"], said.settings["lease"]) == (3, 7.5)
    assert "sleep" in said.build["kinds"].split(",")
    assert all(said.build[name] for name in ("code", "handlers", "python", "grpcio"))
    assert not said.has_queue


def test_totals_are_equal_however_they_are_shared_out() -> None:
    whole = {"worker": identity_of(slots=12, fetchers=2), "queue": identity_of(True)}
    whole["queue"] = replace(whole["queue"], settings={**whole["queue"].settings})
    parts = stack("n", 2, 6, max_queued_jobs=90_000, max_queued_bytes=120 << 20)
    assert list(differences(state("a", whole), state("b", parts))) == []


def test_limits_of_a_queue_count_only_where_one_is_held() -> None:
    said = state("a", {"gateway": identity_of(), "queue": identity_of(True)})
    assert said.totals["max_queued_jobs"] == Settings.max_queued_jobs


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"lease": 9.0}, "lease: 6 and 9"),
        ({"long_poll": 3.0}, "long_poll: 20 and 3"),
        ({"default_deadline": 3.0}, "default_deadline: 30 and 3"),
        ({"max_queued_jobs": 5}, "max_queued_jobs in total: 360,000 and 10"),
        ({"log_level": "DEBUG"}, "log_level: INFO and DEBUG"),
    ],
)
def test_difference_is_named_with_both_values(changed: dict[str, object], named: str) -> None:
    one, two = state("a", stack("a", 2, 6)), state("b", stack("b", 2, 6, **changed))
    assert list(differences(one, two)) == [named]


def test_fewer_slots_in_total_are_named() -> None:
    one, two = state("a", stack("a", 1, 6)), state("b", stack("b", 6, 6))
    assert "slots in total: 6 and 36" in list(differences(one, two))


def test_other_code_or_handlers_are_named() -> None:
    process = identity_of(True, slots=6)
    other = replace(process, build={**process.build, "code": "c0", "handlers": "h0"})
    found = list(differences(state("a", {"x": process}), state("b", {"x": other})))
    assert [each.partition(":")[0] for each in found] == ["code", "handlers"]


def test_process_that_disagrees_with_its_own_stack_is_named() -> None:
    mixed = {"one": identity_of(lease=6.0), "two": identity_of(lease=9.0)}
    assert state("a", mixed).values["lease"] == "6 in one, 9 in two"


def test_side_that_changes_what_it_says_is_objected_to() -> None:
    fairness = Fairness()
    fairness.hear(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6)))
    fairness.hear(("a", "b"), StackSpec(12), 1, state("b", stack("b", 2, 6)))
    with pytest.raises(Unfair, match="lease: 6 and 9"):
        fairness.hear(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6, lease=9.0)))


def test_cells_with_other_slots_are_not_held_against_each_other() -> None:
    fairness = Fairness()
    fairness.hear(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6)))
    fairness.hear(("a", "b"), StackSpec(24), 1, state("b", stack("b", 4, 6)))
