"""The study of what a call costs: each of its layers can be called, and is of the call it names."""

from __future__ import annotations

import pytest

from studies.percall.__main__ import rows
from studies.percall.layers import LAYERS

EVERY = [(group, name) for group, layers in LAYERS.items() for name in layers]


@pytest.mark.parametrize(("group", "name"), EVERY)
async def test_every_layer_answers_call_after_call(group: str, name: str) -> None:
    async with LAYERS[group][name]() as call:
        assert [await call(), await call()] == [await call()] * 2


def test_layer_adds_what_it_costs_more_than_the_one_before() -> None:
    figures = {"inner": [3.0, 1.0, 2.0], "outer": [5.0, 4.0, 9.0]}
    assert list(rows(figures, ".1f")) == [
        ["inner", "2.0", "1.0 to 3.0", "2.0"],
        ["outer", "5.0", "4.0 to 9.0", "3.0"],
    ]
