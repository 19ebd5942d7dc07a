"""The committed dashboards, as Grafana would read them, and what they ask Prometheus."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from typing import Any

from testbed.stack.observability import scrape
from tests.support.stacks import ROOT

FOLDER = ROOT / "grafana" / "dashboards"
# What Grafana makes of the data source's interval: at least four scrapes.
RATE_INTERVAL = f"{4 * scrape.INTERVAL}s"


def read() -> dict[str, dict[str, Any]]:
    """Return every dashboard by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give every query of a dashboard, by what it is for, with all its variables filled in."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']} / {target['refId']}", _filled(dashboard, target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            series, _, label = variable["definition"][len("label_values(") : -1].rpartition(", ")
            yield f"variable {variable['name']}", f"group by ({label}) ({series})"


def all_queries(but: Container[str] = ()) -> dict[tuple[str, str], str]:
    """Return every query of every dashboard ``but`` some, by dashboard and what it is for."""
    return {
        (name, use): expr
        for name, dashboard in read().items()
        if name not in but
        for use, expr in queries(dashboard)
    }


def _filled(dashboard: dict[str, Any], expr: str) -> str:
    expr = expr.replace("$__rate_interval", RATE_INTERVAL)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            expr = expr.replace(f"${variable['name']}", variable["allValue"])
    assert "$" not in expr, f"a variable is left in {expr}"
    return expr
