"""The dashboards as data. ``make generate`` writes them to ``grafana/dashboards``."""

from __future__ import annotations

import json
from collections.abc import Mapping

from testbed.stack import designs
from testbed.stack.observability.dashboards import inside, load, overview, stores
from testbed.stack.observability.dashboards.model import Dashboard, to_json


def all_of_them() -> list[Dashboard]:
    """Return every dashboard: the inside of each design that shows one has one of its own."""
    known = [designs.load(name) for name in designs.names()]
    insides = [
        inside.dashboard(each)
        for each in known
        if any(process.metrics_port for process in each.processes)
    ]
    return [overview.DASHBOARD, *insides, stores.DASHBOARD, load.DASHBOARD]


def texts() -> Mapping[str, str]:
    """Return the JSON of each dashboard by the name of its file."""
    return {
        each.uid.removeprefix("taskqueue-"): json.dumps(to_json(each), indent=2) + "\n"
        for each in all_of_them()
    }
