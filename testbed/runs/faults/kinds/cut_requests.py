"""The network from a caller to a callee is cut in that direction alone."""

from __future__ import annotations

from common.links.fault import LinkFault
from testbed.runs.faults import links, targets
from testbed.runs.faults.kind import LINKS, Kind, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    # What the caller sends are its requests, and its answers if it is called too.
    links.put(
        controls,
        target,
        lambda link: LinkFault(
            lose_requests=link == target.name,
            lose_answers=link != target.name,
        ),
    )


KIND = Kind(
    name="cut_requests",
    about="Nothing that a caller sends reaches the callee; the other direction works.",
    targets=targets.ways,
    inject=_inject,
    heal=links.clear,
    needs=LINKS,
)
