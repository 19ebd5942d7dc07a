"""Calls between processes arrive twice."""

from __future__ import annotations

from common.links.fault import LinkFault
from testbed.runs.faults import links, targets
from testbed.runs.faults.kind import LINKS, Kind, Parameter, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, parameters: Parameters) -> None:
    fault = LinkFault(
        repeat_part=parameters["part"],
        repeat_within=parameters["within_ms"] / 1000,
        seed=int(parameters["seed"]),
    )
    links.put(controls, target, lambda _link: fault)


KIND = Kind(
    name="repeat",
    about="Calls of a link arrive twice, or those of all links of a process, or all.",
    targets=targets.groups,
    inject=_inject,
    heal=links.clear,
    needs=LINKS,
    parameters=(
        Parameter("part", "the part of calls that arrive twice", 0.5, 0, 1),
        Parameter("within_ms", "the second time comes up to so much later", 500, 0, 60_000),
        Parameter("seed", "seed of the random numbers", 1, 0, 2**32),
    ),
)
