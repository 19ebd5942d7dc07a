"""The network from a callee back to a caller is cut in that direction alone."""

from __future__ import annotations

from common.links.fault import LinkFault
from testbed.runs.faults import links, targets
from testbed.runs.faults.kind import LINKS, Kind, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    # What the callee sends are its answers, and its requests if it calls too.
    links.put(
        controls,
        target,
        lambda link: LinkFault(
            lose_requests=link != target.name,
            lose_answers=link == target.name,
        ),
    )


KIND = Kind(
    name="cut_answers",
    about="Nothing that a callee sends reaches the caller, whose calls are served all the same.",
    targets=targets.ways,
    inject=_inject,
    heal=links.clear,
    needs=LINKS,
)
