"""The network between two processes is cut."""

from __future__ import annotations

from common.links.fault import LinkFault
from testbed.runs.faults import links, targets
from testbed.runs.faults.kind import LINKS, Kind, Parameters, Target
from testbed.stack.runtimes.controls import Controls


def _inject(controls: Controls, target: Target, _parameters: Parameters) -> None:
    links.put(controls, target, lambda _link: LinkFault(lose_requests=True, lose_answers=True))


KIND = Kind(
    name="cut",
    about="Between two processes everything is lost, in both directions.",
    targets=targets.pairs,
    inject=_inject,
    heal=links.clear,
    needs=LINKS,
)
