"""Stacks under the traffic of a Locust, and what a Prometheus that reads them answers."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed.stack import prometheus
from testbed.stack.records import ProcessRecord
from tests.support.ports import free_port
from tests.support.stacks import ROOT
from tests.support.waiting import eventually

Use = tuple[str, str]


class Asker:
    """Asks a Prometheus."""

    def __init__(self, record: ProcessRecord) -> None:
        self._record = record

    def __call__(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an expression."""
        query = urllib.parse.urlencode({"query": expr})
        found: list[dict[str, Any]] = _get(self._record, f"query?{query}")["result"]
        return found

    def until_there_is_data(
        self, wanted: Mapping[Use, str], excused: Container[Use] = (), within: float = 180
    ) -> set[Use]:
        """Wait until all of these expressions have had data; returns those excused that had not."""
        missing = dict(wanted)

        def without_data() -> dict[Use, str]:
            for use, expr in list(missing.items()):
                if _has_value(self(expr)):
                    del missing[use]
            return {use: expr for use, expr in missing.items() if use not in excused}

        eventually(
            without_data, until=lambda found: not found, within=within, what="data in all queries"
        )
        return set(missing)


@contextmanager
def driven(design: str, folder: Path, *traffic: str) -> Iterator[None]:
    """Drive a stack that is up as long as the block lasts."""
    command = [
        *(sys.executable, "-m", "locust", "-f", "locustfiles/mixed.py"),
        *("--headless", "--only-summary", "--run-time", "20m", "--design", design),
        *("--kind", "sleep", "--job-ms", "30", *traffic),
        *("--metrics-port", str(free_port())),
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOAD_", "LOCUST_"))}
    with (folder / f"locust-{design}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def rules_of(record: ProcessRecord) -> dict[str, list[dict[str, Any]]]:
    """Return the rules of a Prometheus, those that record and those that alert."""
    rules = [rule for group in _get(record, "rules")["groups"] for rule in group["rules"]]
    return {
        kind: [rule for rule in rules if rule["type"] == kind] for kind in ("recording", "alerting")
    }


def whose(series: dict[str, Any]) -> tuple[str, str]:
    """Return the design and the process of a series."""
    labels = series["metric"]
    return labels["design"], labels["process"]


def _get(record: ProcessRecord, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{prometheus.url(record)}/api/v1/{path}", timeout=30) as answer:
        data: dict[str, Any] = json.load(answer)["data"]
    return data


def _has_value(result: list[dict[str, Any]]) -> bool:
    return any(math.isfinite(float(each["value"][1])) for each in result)
