from __future__ import annotations

import http.client
import re
from collections.abc import Mapping

import pytest

from common.cgroup import Accounting
from common.config import Settings
from testbed.drive import budgets, statements
from testbed.drive.statements import Unfair, ask, parse, state
from testbed.stack.records import ProcessBudget, ProcessRecord, StackRecord
from tests.support.statements import MIB, identity_of, page_of, stack, within


def test_process_says_its_settings_code_and_handlers() -> None:
    reported = identity_of(slots=3, lease=7.5)
    assert (reported.settings["slots"], reported.settings["lease"]) == (3, 7.5)
    assert "sleep" in reported.build["kinds"].split(",")
    assert all(reported.build[name] for name in ("code", "handlers", "python", "grpcio"))
    assert not reported.has_queue


def test_process_says_every_text_of_its_settings_but_those_of_its_own() -> None:
    texts = identity_of(store="redis", log_level="DEBUG").texts
    assert (texts["store"], texts["log_level"]) == ("redis", "DEBUG")
    assert not texts.keys() & {"name", "listen", "metrics", "secret_file"}


def test_process_says_what_it_guarantees_for_a_job() -> None:
    texts = identity_of().texts
    assert (texts["durability"], texts["delivery"]) == ("none", "at-least-once")
    assert texts["methods"] == "CancelJob,GetJobResult,GetJobStatus,ListJobs,SubmitJob"


def test_limits_of_a_queue_count_only_where_one_is_held() -> None:
    reported = state("a", {"gateway": identity_of(), "queue": identity_of(True)})
    assert reported.totals["max_queued_jobs"] == Settings.max_queued_jobs


def test_numbers_that_differ_in_their_last_digit_do_not_look_alike() -> None:
    texts = {
        state("a", stack("a", 2, 6, max_unread_bytes=size)).facts["max_unread_bytes"]
        for size in (1 << 28, (1 << 28) + 1)
    }
    assert texts == {"268,435,456", "268,435,457"}


def test_process_that_disagrees_with_its_own_stack_is_named() -> None:
    mixed = {"one": identity_of(lease=6.0), "two": identity_of(lease=9.0)}
    assert state("a", mixed).values["lease"] == "6 in one, 9 in two"


def test_process_that_is_not_ours_says_nothing_and_leaves_the_budget_unknown() -> None:
    ours = within(2, 0.5, 64 * MIB)
    assert state("a", ours).facts["cpus"] == "1"
    foreign = parse("redis_up 1\n")
    mixed = state("a", {**ours, "redis": foreign}).facts
    assert mixed == {
        name: text for name, text in state("a", ours).facts.items() if name not in _BUDGET
    }
    assert state("a", {"redis": foreign}).facts == {}
    assert not _BUDGET & state("a", ours, silent=["redis"]).facts.keys()


_BUDGET = {"cpus", "memory_mib"}


def test_process_says_its_budget() -> None:
    account = Accounting(cpu_seconds=9.0, cpu_limit_cores=0.25, memory_limit_bytes=256 * MIB)
    assert parse(page_of(account=account)).budget == ProcessBudget(0.25, 256 * MIB)
    assert not parse(page_of()).budget


def test_side_without_any_limit_says_so() -> None:
    assert state("a", within(6, None, None)).facts["cpus"] == "no limit"
    assert state("a", within(6, 0.5, 200 * MIB)).facts["memory_mib"] == "1200"


def test_processes_of_one_side_with_unequal_budgets_are_named() -> None:
    mixed = {**within(2, 0.5, MIB), "big": within(1, 2.0, MIB)["p0"]}
    assert list(budgets.uneven(state("a", mixed).budgets)) == [
        "CPU of a process: 0.5 cores in p0, 0.5 cores in p1, 2 cores in big"
    ]


class Pages:
    """What is answered at an address; without a page nobody answers."""

    def __init__(self, **pages: str) -> None:
        self._pages = pages

    def __call__(self, address: str) -> str:
        if address not in self._pages:
            raise http.client.HTTPException("status 503")
        return self._pages[address]


def stack_of(
    budget: ProcessBudget | None = None,
    side: str = "a",
    metrics: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
) -> StackRecord:
    metrics = {"p0": "p0"} if metrics is None else metrics
    processes = (ProcessRecord("p0", 1, 0.0, 1, "p0.log"),) if "p0" in metrics else ()
    return StackRecord(
        "a",
        "fake",
        (),
        metrics,
        processes,
        12,
        {},
        "2026-01-01",
        budget=budget,
        side=side,
        facts=facts or {},
    )


def test_limit_that_did_not_arrive_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Accounting(cpu_limit_cores=2.0, memory_limit_bytes=64 * MIB)
    monkeypatch.setattr(statements, "read_page", Pages(p0=page_of(account=account)))
    problem = r"p0 has 2 cores CPU, and was given 0\.5 cores"
    with pytest.raises(Unfair, match=problem):
        ask(stack_of(ProcessBudget(0.5, 64 * MIB)))
    assert ask(stack_of(ProcessBudget(2.0, 64 * MIB))).budgets == {
        "p0": ProcessBudget(2.0, 64 * MIB)
    }
    assert ask(stack_of(None)).budgets == {"p0": ProcessBudget(2.0, 64 * MIB)}


def test_process_where_nobody_answers_is_an_error_of_any_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statements, "read_page", Pages())
    for side in ("a", "a@v0.1"):
        with pytest.raises(Unfair, match="p0 does not say what it runs with: p0: status 503"):
            ask(stack_of(side=side))


# A process of ours from before it said what it runs with.
OLD = "taskqueue_tasks 4\n"


def test_what_an_older_revision_does_not_say_is_unknown_and_of_today_s_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statements, "read_page", Pages(p0=OLD))
    assert "lease" not in ask(stack_of(side="a@v0.1+slots=24")).facts
    with pytest.raises(Unfair, match="p0 does not say what it runs with: p0 has no taskqueue_b"):
        ask(stack_of(side="a"))


def test_revision_from_before_there_were_texts_says_those_of_its_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = re.sub(r"(?m)^taskqueue_fact_info.*\n", "", page_of())
    monkeypatch.setattr(
        statements, "read_page", Pages(p0=page.replace('kinds="', 'log_level="INFO",kinds="'))
    )
    found = ask(stack_of(side="a@v0.1")).facts
    assert (found["log_level"], found["lease"]) == ("INFO", "6")
    assert "durability" not in found


def test_stack_without_processes_says_what_its_declaration_says_and_no_more() -> None:
    declared = {"durability": "disk", "slots": "8"}
    statement = ask(stack_of(side="h:1", metrics={}, facts=declared))
    assert statement.facts == declared
    assert statement.totals == {"slots": 8}
