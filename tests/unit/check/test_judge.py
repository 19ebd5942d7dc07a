"""All rules together: their names, and what a verdict holds."""

from testbed.check import rules
from tests.support.history_builder import HistoryBuilder


def test_every_rule_has_a_name_and_says_what_it_is_about() -> None:
    loaded = rules.load()
    assert [rule.name for rule in loaded] == [
        "calm-cancel", "calm-once", "cancel", "duplicated", "ids", "list", "lost", "request-ids",
        "right-output", "steps", "terminal", "unexpected", "unfinished",
    ]  # fmt: skip
    assert all(rule.about for rule in loaded)


def test_many_violations_are_all_counted_and_some_detailed() -> None:
    history = HistoryBuilder()
    for number in range(50):
        history.submit(f"j{number}", (0, 1))
        history.not_found((2, 3), f"j{number}")
    verdict = history.verdict()
    assert len(verdict.violations) == 20
    assert verdict.found["lost"] == verdict.counts["lost"] == 50


def test_a_slice_has_the_faults_that_overlap_it_and_no_others() -> None:
    history = HistoryBuilder()
    history.fault((0, 9))
    around = history.fault((12, 40))
    submit = history.submit("j1", (10, 11))
    read = history.not_found((20, 21))
    history.fault((22, 30))
    assert history.accused() == [("lost", "j1", (submit, around, read))]
