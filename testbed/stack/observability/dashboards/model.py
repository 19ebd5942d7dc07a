"""What a dashboard is made of, and the JSON that Grafana reads.

A panel says what it shows; where it stands, its ids and all that panels have in common is worked
out here, so no two overlap and all look alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA = 39


@dataclass(frozen=True)
class Query:
    """An expression, and what its lines are called: ``{{label}}`` is filled in."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A graph, or with ``stat`` the last value as a number. ``unit`` is one of Grafana's."""

    title: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    stat: bool = False
    width: int = 12
    height: int = 8
    most: float | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top: the values of ``label`` in ``series``."""

    name: str
    series: str
    label: str


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; ``uid`` is its name in links and must not change."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]


def graph(
    title: str, unit: str, description: str, *queries: tuple[str, str], **style: Any
) -> Panel:
    """Return a panel; each query is an expression and a legend."""
    return Panel(title, unit, description, tuple(Query(*each) for each in queries), **style)


def number(title: str, unit: str, description: str, expr: str, legend: str) -> Panel:
    """Return a panel that shows the last value of each series."""
    return graph(title, unit, description, (expr, legend), stat=True, width=6, height=4)


def to_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["taskqueue"],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables)]},
        "annotations": {"list": _annotations()},
        "links": [
            {
                "title": "Task queue",
                "type": "dashboards",
                "tags": ["taskqueue"],
                "asDropdown": True,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "panels": list(_placed(dashboard.rows)),
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Place panels from left to right, a heading above each row; ids in the order of reading."""
    y, ids = 0, iter(range(1, 1000))
    for row in rows:
        place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        heading = {"id": next(ids), "type": "row", "title": row.title, "gridPos": place}
        yield {**heading, "collapsed": False, "panels": []}
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            yield {"id": next(ids), "gridPos": place, **_panel(panel)}
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.most is not None:
        defaults["max"] = panel.most
    if not panel.stat:
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 5, "showPoints": "never"}
    return {
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _STAT if panel.stat else _GRAPH,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "range": True,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


_STAT = {
    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    "colorMode": "value",
    "graphMode": "area",
    "textMode": "value_and_name",
}
_GRAPH = {
    "legend": {"displayMode": "table", "placement": "right", "calcs": ["mean", "max"]},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.series}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        # When the time range changes, since processes come and go.
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _annotations() -> list[dict[str, Any]]:
    """Mark drives, as long as they last, and starts of stacks: both are in the metrics."""
    common = {"datasource": _SOURCE, "enable": True, "step": "5s"}
    return [
        {
            **common,
            "name": "Drives",
            "iconColor": "blue",
            "expr": "taskqueue_load_driving == 1",
            "titleFormat": "load on {{target}}",
            "textFormat": "{{load}}",
        },
        {
            **common,
            "name": "Stacks",
            "iconColor": "green",
            "expr": 'max by (design) (process_start_time_seconds{job="taskqueue"}) * 1000',
            "useValueForTime": True,
            "titleFormat": "design {{design}} started",
        },
    ]
