"""The history that real Locust processes write, against what the server saw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from testbed.record.history import files
from testbed.record.history.model import (
    IDS_BY_HOME,
    CallOutcome,
    History,
    Operation,
    Page,
    Submitted,
)
from tests.integration.load.processes import StartLocust, StartStub, free_master_port
from tests.support.waiting import eventually

HEADLESS = ("--headless", "--only-summary", "-r", "100", "--think-time", "0.01")


def calls_of(history: History) -> Counter[str]:
    return Counter(each.call for each in history.operations)


def submits_of(history: History) -> list[tuple[Submitted, Operation]]:
    return [(each.asked, each) for each in history.operations if isinstance(each.asked, Submitted)]


@pytest.mark.slow
def test_every_call_of_every_process_is_in_the_history(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--ports", "2")
    folder = tmp_path / "history"
    locust = start_locust(
        "checked.py", *HEADLESS, "-H", stub.host, "-u", "4", "-t", "5s", "--processes", "2",
        "--history", str(folder), "--design", "b", env=free_master_port(),
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    history = files.read(folder)
    assert (history.design, history.ids) == ("b", IDS_BY_HOME)
    assert len(list(folder.iterdir())) == 2, "each process writes a file"
    assert calls_of(history) == stub.calls()
    assert {each.endpoint for each in history.operations} == set(stub.host.split(","))
    assert len({each.client for each in history.operations}) == 4
    assert all(each.completed >= each.invoked for each in history.operations)


@pytest.mark.slow
def test_request_ids_are_used_again_with_the_same_job_and_with_another(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--ports", "2")
    start_locust(
        "checked.py", *HEADLESS, "-H", stub.host, "-u", "8", "-t", "6s", "--mix", "submit=1",
        "--history", str(tmp_path / "history"),
    ).wait()  # fmt: skip

    asked: dict[str, list[tuple[str, str]]] = {}
    for submitted, call in submits_of(files.read(tmp_path / "history")):
        if submitted.request_id:
            asked.setdefault(submitted.request_id, []).append((submitted.digest, call.endpoint))
    repeated = [each for each in asked.values() if len(each) > 1]
    assert any(len({digest for digest, _ in each}) == 1 for each in repeated)
    assert any(len({digest for digest, _ in each}) == 2 for each in repeated)
    assert any(len({endpoint for _, endpoint in each}) == 2 for each in repeated)
    assert any(
        not submitted.request_id for submitted, _ in submits_of(files.read(tmp_path / "history"))
    )


@pytest.mark.slow
def test_pages_of_a_listing_bear_its_name_in_order(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    start_locust(
        "mixed.py", *HEADLESS, "-H", stub.host, "-u", "2", "-t", "4s", "--mix", "list=1",
        "--rate", "60", "--history", str(tmp_path / "history"),
    ).wait()  # fmt: skip

    pages: dict[str, list[int]] = {}
    for each in files.read(tmp_path / "history").operations:
        assert isinstance(each.asked, Page)
        pages.setdefault(each.asked.scan, []).append(each.asked.number)
    # The stub has two pages of everything; the last listing of a user may have been begun only.
    assert len(pages) > 2
    assert {tuple(each) for each in pages.values()} <= {(0, 1), (0,)}
    assert (0, 1) in {tuple(each) for each in pages.values()}


def test_definite_and_indefinite_refusals_are_distinguished(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    for refusal, outcome in (
        ("definite", CallOutcome.FAIL),
        ("indefinite", CallOutcome.INDEFINITE),
    ):
        stub = start_stub("--refuse", refusal)
        start_locust(
            "submit.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "3s",
            "--history", str(tmp_path / refusal),
        ).wait()  # fmt: skip
        operations = files.read(tmp_path / refusal).operations
        assert {each.outcome for each in operations} == {outcome}
        assert all(each.reason for each in operations)


def test_a_killed_generator_leaves_its_open_calls_indefinite(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub("--delay", "30")
    folder = tmp_path / "history"
    running = start_locust(
        "submit.py", *HEADLESS, "-H", stub.host, "-u", "3", "--history", str(folder),
        "--deadline", "40",
    )  # fmt: skip
    eventually(
        lambda: [line for path in folder.glob("*") for line in path.read_text().splitlines()],
        lambda lines: len(lines) == 4,
        what="a head and three calls",
    )
    running.process.kill()
    running.wait()

    operations = files.read(folder).operations
    assert [each.outcome for each in operations] == [CallOutcome.INDEFINITE] * 3


def test_a_history_that_cannot_be_written_keeps_the_test_from_beginning(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    blocked = tmp_path / "blocked"
    blocked.write_text("not a directory")
    locust = start_locust(
        "submit.py", *HEADLESS, "-H", stub.host, "-u", "1", "-t", "2s", "--history", str(blocked)
    ).wait()

    assert locust.code == 1
    assert "locust: error:" in locust.output
    assert str(blocked) in locust.output
    assert "Traceback" not in locust.output
    assert not stub.calls()


@pytest.mark.slow
def test_calls_that_wait_at_one_endpoint_hold_up_none_at_another(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    slow, quick = start_stub("--delay", "3"), start_stub()
    start_locust(
        "submit.py", *HEADLESS, "-H", f"{slow.host},{quick.host}", "-u", "1", "-t", "6s",
        "--rate", "40", "--arrivals", "even", "--history", str(tmp_path / "history"),
    ).wait()  # fmt: skip

    operations = files.read(tmp_path / "history").operations
    waiting = [each for each in operations if each.endpoint == slow.host]
    answered_meanwhile = [
        each
        for each in operations
        if each.endpoint == quick.host
        and sum(one.invoked < each.invoked and each.completed < one.completed for one in waiting)
        >= 20
    ]
    assert len(answered_meanwhile) >= 20
