"""What became of the calls of each link, as metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from common.links.link import CallCounts, Link

PREFIX = "taskqueue_link_"
_HELP = {
    "forwarded": "Requests passed on to the callee, second times left out",
    "lost_requests": "Requests lost on purpose",
    "lost_answers": "Answers lost on purpose",
    "delayed": "Messages held up on purpose",
    "repeated": "Calls that the callee got a second time, on purpose",
}


def expose(links: Sequence[Link], registry: CollectorRegistry) -> None:
    """Add the counts of the links to the metrics of their process."""
    registry.register(_LinkCounts(links))


class _LinkCounts(Collector):
    """Reads the counts of all links when it is scraped, so that each is there from the start."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links

    def collect(self) -> Iterator[Metric]:
        """Give a metric for each count, with caller and callee of each link as labels."""
        for each in dataclasses.fields(CallCounts):
            family = CounterMetricFamily(
                PREFIX + each.name, _HELP[each.name], labels=["caller", "callee"]
            )
            for link in self._links:
                family.add_metric([link.caller, link.callee], getattr(link.counts, each.name))
            yield family
