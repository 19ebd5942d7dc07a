"""How a drive is doing, from the statistics that Locust writes while it runs."""

from __future__ import annotations

import csv
from pathlib import Path

HISTORY = "locust_stats_history.csv"
TOTAL = "Aggregated"


def figures(folder: Path) -> str:
    """Say in a few words how the drive in ``folder`` goes; empty while nothing is known.

    Locust writes every few seconds, and rounds: this is for display, never for a report.
    """
    try:
        with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("Name") == TOTAL]
    except FileNotFoundError:
        return ""
    if not rows or not rows[-1].get("Total Failure Count"):
        return ""
    last = rows[-1]
    return (
        f"{int(last['Total Request Count']):,} calls, {float(last['Requests/s']):.0f}/s, "
        f"{int(last['Total Failure Count']):,} failures"
    )
