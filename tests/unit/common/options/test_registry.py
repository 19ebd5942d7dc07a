"""Every option can be understood by who has never seen it, and does what it says."""

from __future__ import annotations

from typing import Any

import pytest

from common import options
from common.config import optional
from common.options import Option
from common.options.option import Started
from common.options.values import SWITCH
from testbed.stack import runtimes

OPTIONS = options.load()


def test_every_setting_is_an_option_by_itself() -> None:
    assert {each.name for each in optional()} <= OPTIONS.keys()


def test_size_faults_and_runtime_are_options() -> None:
    assert {"slots", "workers", "cpus", "memory_mib", "links", "clock", "runtime"} <= OPTIONS.keys()


def test_the_runtimes_to_choose_from_are_those_that_there_are() -> None:
    assert OPTIONS["runtime"].values.words == "|".join(runtimes.RUNTIMES)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda each: each.name)
def test_an_option_says_what_it_sets_in_words_without_a_full_stop(option: Option) -> None:
    assert option.name.isidentifier()
    assert option.about
    for text in (option.about, option.buys, option.costs):
        assert not text.endswith(".")


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda each: each.name)
def test_the_default_of_an_option_is_one_of_its_values(option: Option) -> None:
    assert not option.problem(option.default.partition(" ")[0])
    assert option.problem("no such value")


def test_an_option_is_applied_after_those_that_it_goes_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unchanged(topology: Any, spec: Any, _value: str) -> Started:
        return topology, spec

    made = [
        Option("first", "", SWITCH, "off", unchanged, goes_with={"third": "on"}, shapes=True),
        Option("second", "", SWITCH, "off", unchanged),
        Option("third", "", SWITCH, "off", unchanged, shapes=True),
        Option("fourth", "", SWITCH, "off", unchanged, goes_with={"first": "on"}, shapes=True),
    ]
    monkeypatch.setattr(options, "load", lambda: {each.name: each for each in made})
    names = [each.name for each in options.in_order(each.name for each in made)]
    assert names == ["third", "first", "fourth", "second"]
