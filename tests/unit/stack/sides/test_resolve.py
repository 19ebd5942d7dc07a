"""What is started for a side, and the errors for what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.stack_spec import Budget, StackSpec
from testbed.errors import TestbedError
from testbed.stack.sides.resolve import resolve, started


def test_a_plain_design_is_started_as_the_caller_says() -> None:
    base = StackSpec(24, 3, settings={"lease": "9"})
    found = resolve("a", base)
    assert (found.design, found.spec.slots, found.spec.workers) == ("a", 24, 3)
    assert found.spec.settings == {"lease": "9"}
    assert not found.declared


def test_an_option_of_the_side_wins_over_what_the_caller_says() -> None:
    found = resolve("a+slots=6+workers=2+lease=10", StackSpec(24, settings={"lease": "9"}))
    assert (found.spec.slots, found.spec.workers) == (6, 2)
    assert found.spec.settings == {"lease": "10"}
    assert [each.name for each in found.scaled.processes].count("worker-2") == 1


def test_what_an_option_changes_is_declared_by_its_name() -> None:
    found = resolve("a+lease=10+slots=24")
    assert found.declared == {
        "lease": "option lease=10",
        "slots": "option slots=24",
        "fetchers": "option slots=24",
    }


def test_limits_of_the_queue_are_totals_that_equal_nodes_share_out() -> None:
    assert resolve("a+max_queued_jobs=600").spec.settings == {"max_queued_jobs": "600"}
    assert resolve("b+max_queued_jobs=600").spec.settings == {"max_queued_jobs": "100"}
    with pytest.raises(TestbedError, match="6 queues, which cannot share out 100 evenly"):
        resolve("b+max_queued_jobs=100")


def test_limits_of_a_stack_are_options_too() -> None:
    found = resolve("b+cpus=1.5+runtime=compose")
    assert found.spec.budget == Budget(cpus=1.5)
    assert found.spec.runtime == "compose"


def test_faults_are_prepared_for_by_options() -> None:
    found = resolve("a+links=on+clock=on")
    assert (found.spec.links, found.spec.clock) == (True, True)
    assert found.scaled.links


def test_the_side_as_it_was_written_goes_with_the_stack() -> None:
    assert resolve("A+slots=24+lease=10").spec.side == "a+lease=10+slots=24"


def test_a_server_that_is_there_has_no_processes_and_what_its_declaration_says(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('about = "my own queue"\nslots = 7\n', encoding="utf-8")
    found = resolve(f"127.0.0.1:6000+declaration={file}")
    assert found.is_external
    assert (found.design, found.topology.title) == ("127.0.0.1:6000", "my own queue")
    assert not found.topology.processes
    assert found.declared == {"slots": f"declaration {file}"}


def test_a_server_that_is_there_is_not_started() -> None:
    with pytest.raises(TestbedError, match="testbed up takes stacks that are started here"):
        started("127.0.0.1:6000", StackSpec(), "testbed up")


@pytest.mark.parametrize(
    ("side", "message", "hint"),
    [
        ("c", "'c': there is no design 'c'", "a, b"),
        ("a+leas=3", "there is no option 'leas'", "did you mean lease"),
        ("a+zzz=3", "there is no option 'zzz'", "there are"),
        ("a+lease=long", "'long' is not above 0 to 3600 seconds", ""),
        ("a+lease=0", "'0' is not above 0 to 3600 seconds", ""),
        ("a+lease=nan", "'nan' is not above 0", ""),
        ("a+slots=1.5", "'1.5' is not a whole number", ""),
        ("a+log_level=LOUD", "'LOUD' is none of DEBUG, INFO", ""),
        ("a+slots=7", "cannot be shared out evenly", ""),
        ("a+lease=1", "heartbeat_timeout must be", ""),
        ("b+workers=3", "option 'workers': design b has no workers", ""),
        ("a+runtime=moon", "'moon' is none of local, compose", ""),
        ("127.0.0.1:1+slots=3", "there already has no option 'slots'", "declaration=FILE"),
    ],
)
def test_the_error_names_the_part_and_what_there_is(side: str, message: str, hint: str) -> None:
    with pytest.raises(TestbedError) as raised:
        resolve(side)
    assert f"side {side!r}" in str(raised.value)
    assert message in str(raised.value)
    assert hint in raised.value.hint
