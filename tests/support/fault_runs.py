"""Writes the folder of a fault run as a real one leaves it, out of a simulated history."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from testbed.record import files
from testbed.record.files import ResourceLog
from testbed.record.history.model import History, Operation, Submitted
from testbed.record.metrics import MetricLog
from testbed.record.model import COMPLETE, GENERATOR, STACK, JobRow, ResourceRow, TrialHeader
from testbed.stack import designs
from tests.support import histories
from tests.support.recordings import START, LoadMaker

AUDIT = "audit"
SIDE = Path("trials", "001-b")
NODES = tuple(each.name for each in designs.load("b").processes)


def write(folder: Path, calls: int = 40) -> Path:
    """Write a fault run of Design B that ran to its end without a fault; return its folder."""
    history = histories.perfect(5, calls)
    side = folder / SIDE
    side.mkdir(parents=True)
    _write_head(folder)
    for who, operations in _by_writer(history).items():
        part = replace(history, operations=operations, faults=())
        _close(histories.write(part, side / f"history-{who}.jsonl"))
    accepted = sorted({str(each.answer) for each in history.operations if _is_accepted(each)})
    LoadMaker(accepted=accepted).write(side)
    files.write_jobs(side, [JobRow(each, True, "DONE", 1, 1, 2, 3) for each in accepted])
    files.write_json(side / "faults.json", {"schedule": []})
    with ResourceLog(side) as log, MetricLog(side) as metrics:
        for at in (START, START + 10):
            log.append([ResourceRow(at, STACK, name, 1.0, 1) for name in NODES])
            log.append([ResourceRow(at, GENERATOR, "locust", 1.0, 1)])
            for name in NODES:
                metrics.answered(at, name, 0.01, "taskqueue_queue_depth 0.0\n")
        metrics.cost(START + 10, 0.1)
    _write_header(side)
    return folder


def _is_accepted(call: Operation) -> bool:
    return isinstance(call.asked, Submitted) and call.answer is not None


def _by_writer(history: History) -> dict[str, tuple[Operation, ...]]:
    by_audit = tuple(each for each in history.operations if each.client == AUDIT)
    by_load = tuple(each for each in history.operations if each.client != AUDIT)
    return {"load-7": by_load, AUDIT: by_audit, "faults": ()}


def _close(path: Path) -> None:
    """Add the line with which a writer ends its file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    last = max((json.loads(line).get("t", 0) for line in lines), default=0)
    path.write_text("\n".join((*lines, f'{{"t":{last},"end":{len(lines)}}}', "")))


def _write_head(folder: Path) -> None:
    plan = {
        "name": "quick",
        "designs": ["b"],
        "runtime": "local",
        "seed": 1,
        "seconds": 5.0,
        "health": 5.0,
        "workers": 1,
        "traffic": {"rate": 50.0, "users": 20},
    }
    titles = {"b": "six monolith nodes"}
    record = {"format": 1, "plan": plan, "titles": titles, "provenance": {}}
    files.write_json(folder / "fault-run.json", {**record, "ended": {"stopped": ""}})


def _write_header(side: Path) -> None:
    header = TrialHeader(
        number=1,
        block=1,
        position=1,
        side=0,
        design="b",
        status=COMPLETE,
        started="2026-11-22T06:00:00+00:00",
        endpoints=tuple(f"127.0.0.1:{50061 + number}" for number in range(6)),
        processes=NODES,
        scraped=NODES,
    )
    files.write_header(side, header)
