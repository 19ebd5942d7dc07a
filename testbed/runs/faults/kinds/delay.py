"""Messages between processes come late."""

from __future__ import annotations

from common.links.fault import Delay, LinkFault
from testbed.runs.faults import links, targets
from testbed.runs.faults.kind import LINKS, Kind, Parameter, Parameters, Target
from testbed.stack.runtimes.controls import Controls

_MOST = 60_000


def _inject(controls: Controls, target: Target, parameters: Parameters) -> None:
    jitter = parameters["random_ms"] / 1000
    fault = LinkFault(
        delay_requests=Delay(parameters["request_ms"] / 1000, jitter),
        delay_answers=Delay(parameters["answer_ms"] / 1000, jitter),
        seed=int(parameters["seed"]),
    )
    links.put(controls, target, lambda _link: fault)


KIND = Kind(
    name="delay",
    about="The messages of a link come late, or those of all links of a process, or all.",
    targets=targets.groups,
    inject=_inject,
    heal=links.clear,
    needs=LINKS,
    parameters=(
        Parameter("request_ms", "delay of each request", 100, 0, _MOST),
        Parameter("answer_ms", "delay of each answer", 100, 0, _MOST),
        Parameter("random_ms", "up to so much more for each, at random", 100, 0, _MOST),
        Parameter("seed", "seed of the random numbers", 1, 0, 2**32),
    ),
)
