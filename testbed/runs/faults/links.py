"""Sets and clears faults on the links of a target, for the kinds that do so."""

from __future__ import annotations

from collections.abc import Callable

from common.links.fault import LinkFault
from testbed.runs.faults.kind import Target
from testbed.runs.faults.targets import ends
from testbed.stack.runtimes.controls import Controls


def put(controls: Controls, target: Target, fault_of: Callable[[str], LinkFault]) -> None:
    """Set on each link of the target the fault that it is to have."""
    for link in target.affected:
        controls.set_link(*ends(link), fault_of(link))


def clear(controls: Controls, target: Target) -> None:
    """Clear the faults of all links of the target."""
    for link in target.affected:
        controls.clear_link(*ends(link))
