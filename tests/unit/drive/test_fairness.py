from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from common.cgroup import Accounting
from common.config import Settings
from common.rpc import accounting, identity
from common.stack_spec import StackSpec
from testbed.drive import budgets, fairness
from testbed.drive.fairness import Fairness, Identity, Unfair, differences, parse, state
from testbed.stack.records import ProcessBudget, StackRecord


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
    reported = identity_of(slots=3, lease=7.5)
    assert (reported.settings["slots"], reported.settings["lease"]) == (3, 7.5)
    assert "sleep" in reported.build["kinds"].split(",")
    assert all(reported.build[name] for name in ("code", "handlers", "python", "grpcio"))
    assert not reported.has_queue


def test_totals_are_equal_however_they_are_shared_out() -> None:
    whole = {"worker": identity_of(slots=12, fetchers=2), "queue": identity_of(True)}
    whole["queue"] = replace(whole["queue"], settings={**whole["queue"].settings})
    parts = stack("n", 2, 6, max_queued_jobs=90_000, max_queued_bytes=120 << 20)
    assert list(differences(state("a", whole), state("b", parts))) == []


def test_limits_of_a_queue_count_only_where_one_is_held() -> None:
    reported = state("a", {"gateway": identity_of(), "queue": identity_of(True)})
    assert reported.totals["max_queued_jobs"] == Settings.max_queued_jobs


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"lease": 9.0}, "lease: 6 and 9"),
        ({"long_poll": 3.0}, "long_poll: 2 and 3"),
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
    fairness.compare(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6)))
    fairness.compare(("a", "b"), StackSpec(12), 1, state("b", stack("b", 2, 6)))
    with pytest.raises(Unfair, match="lease: 6 and 9"):
        fairness.compare(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6, lease=9.0)))


def test_cells_with_other_slots_are_not_held_against_each_other() -> None:
    fairness = Fairness()
    fairness.compare(("a", "b"), StackSpec(12), 0, state("a", stack("a", 2, 6)))
    fairness.compare(("a", "b"), StackSpec(24), 1, state("b", stack("b", 4, 6)))


MIB = 1 << 20


def page_of(account: Accounting | None) -> str:
    """The metrics page of a process with this account of its control group."""
    registry = CollectorRegistry()
    identity.expose(Settings(name="x", listen="h:1", metrics="h:2"), registry)
    accounting.expose(registry, lambda: account)
    return generate_latest(registry).decode()


def within(processes: int, cpus: float | None, memory: int | None) -> dict[str, Identity]:
    """The processes of a side, which all have these limits."""
    account = Accounting(cpu_limit_cores=cpus, memory_limit_bytes=memory)
    return {f"p{number}": parse(page_of(account)) for number in range(processes)}


def test_process_says_its_budget() -> None:
    account = Accounting(cpu_seconds=9.0, cpu_limit_cores=0.25, memory_limit_bytes=256 * MIB)
    assert parse(page_of(account)).budget == ProcessBudget(0.25, 256 * MIB)
    assert not parse(page_of(None)).budget


def test_budgets_are_equal_in_total_however_many_processes_share_them() -> None:
    six = state("a", within(6, 0.5, 200 * MIB))
    # As the kernel rounds them: microseconds of a period, and pages.
    eight = state("b", within(8, 0.37499, 150 * MIB - 4096))
    assert list(differences(six, eight)) == []


@pytest.mark.parametrize(
    ("cpus", "memory", "named"),
    [
        (0.75, 200 * MIB, ["CPU in total: 3 cores and 4.5 cores"]),
        (0.5, 100 * MIB, ["memory in total: 1,200.0 MiB and 600.0 MiB"]),
        (None, 200 * MIB, ["CPU in total: 3 cores and no limit"]),
    ],
)
def test_other_budget_in_total_is_named(
    cpus: float | None, memory: int | None, named: list[str]
) -> None:
    one, two = state("a", within(6, 0.5, 200 * MIB)), state("b", within(6, cpus, memory))
    assert list(differences(one, two)) == named


def test_side_without_any_limit_is_not_equal_to_one_with_limits() -> None:
    limited = state("a", within(6, 0.5, 200 * MIB))
    assert len(list(differences(limited, state("b", within(6, None, None))))) == 2
    assert list(differences(limited, state("b", within(6, 0.5, 200 * MIB)))) == []


def test_processes_of_one_side_with_unequal_budgets_are_objected_to() -> None:
    mixed = {**within(2, 0.5, MIB), "big": within(1, 2.0, MIB)["p0"]}
    with pytest.raises(Unfair, match=r"design A do not have the same budget: CPU of a process: "):
        Fairness().compare(("a", "b"), StackSpec(12), 0, state("a", mixed))
    assert list(budgets.uneven(state("a", mixed).budgets)) == [
        "CPU of a process: 0.5 cores in p0, 0.5 cores in p1, 2 cores in big"
    ]


def test_unequal_totals_stop_a_comparison() -> None:
    fairness = Fairness()
    fairness.compare(("a", "b"), StackSpec(12), 0, state("a", within(6, 0.5, MIB)))
    with pytest.raises(Unfair, match="CPU in total: 3 cores and 6 cores"):
        fairness.compare(("a", "b"), StackSpec(12), 1, state("b", within(6, 1.0, MIB)))


def stack_of(budget: ProcessBudget | None) -> StackRecord:
    return StackRecord("a", "fake", (), {"p0": "h:1"}, (), 12, {}, "2026-01-01", budget=budget)


def test_limit_that_did_not_arrive_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Accounting(cpu_limit_cores=2.0, memory_limit_bytes=64 * MIB)
    monkeypatch.setattr(fairness, "read_page", lambda _address: page_of(account))
    problem = r"p0 has 2 cores CPU, and was given 0\.5 cores"
    with pytest.raises(Unfair, match=problem):
        fairness.ask(stack_of(ProcessBudget(0.5, 64 * MIB)))
    assert fairness.ask(stack_of(ProcessBudget(2.0, 64 * MIB))).budgets == {
        "p0": ProcessBudget(2.0, 64 * MIB)
    }
    assert fairness.ask(stack_of(None)).budgets == {"p0": ProcessBudget(2.0, 64 * MIB)}
