"""The Prometheus of this machine: one for all stacks that run as local processes.

It runs on the configuration of the containers' one, in ``<root>/.testbed/prometheus/``, which also
takes its storage, its log and the files that name its targets.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from testbed import CHECKOUT
from testbed.errors import TestbedError
from testbed.stack import environment, lock, ports
from testbed.stack import records as stacks
from testbed.stack.observability.targets import PROMETHEUS, folder
from testbed.stack.records import ProcessRecord
from testbed.stack.runtimes.local import processes

PORT = 9090
RETENTION = ("--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=2GB")
# compose/prometheus of this checkout, linked to rather than copied, so that an edit counts.
CONFIGURATION = CHECKOUT / "compose" / PROMETHEUS
_LINKED = ("prometheus.yml", "rules")
_START_TIMEOUT = 60.0
_STOP_GRACE = 20.0
_RETRY = 0.1


def require() -> str:
    """Return the path of the program. Raises :class:`TestbedError` that says how to get one."""
    found = shutil.which(PROMETHEUS)
    if found is None:
        raise TestbedError(
            "there is no `prometheus` on PATH to observe with",
            "install it (Debian: `apt install prometheus`, macOS: `brew install prometheus`, or a "
            "release of https://prometheus.io/download), or leave --observe out",
        )
    return found


def find() -> ProcessRecord | None:
    """Return the Prometheus that runs, ``None`` if there is none."""
    try:
        data: dict[str, Any] = json.loads(_state_file().read_text(encoding="utf-8"))
        record = stacks.parse_process(data)
    except (FileNotFoundError, KeyError, ValueError, TypeError, AttributeError):
        return None
    return record if record.is_alive() else None


def url(record: ProcessRecord) -> str:
    """Return where it answers."""
    return f"http://{ports.HOST}:{record.port}"


def start(port: int = PORT) -> ProcessRecord:
    """Start it and return once it answers, or return the one that runs already.

    Raises :class:`TestbedError` if it cannot be started; then none is left running.
    """
    program = require()
    with lock.held(PROMETHEUS, "up --observe"):
        if (running := find()) is not None:
            return running
        _end()
        ports.require_free({port: "Prometheus"})
        try:
            record = _launch(program, port)
            _wait_until_ready(record)
        except BaseException:
            _end()
            raise
        return record


def stop() -> bool:
    """Stop it and say whether there was one. What it has stored stays."""
    with lock.held(PROMETHEUS, "down", wait=_START_TIMEOUT):
        return _end()


def _launch(program: str, port: int) -> ProcessRecord:
    home = stacks.folder_of(PROMETHEUS)
    folder().mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        link = home / name
        link.unlink(missing_ok=True)
        link.symlink_to(CONFIGURATION / name)
    log = home / "prometheus.log"
    command = [
        program,
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        *RETENTION,
        f"--web.listen-address={ports.HOST}:{port}",
        "--log.level=error",
    ]
    pid = processes.launch(PROMETHEUS, command, environment.of_process(os.environ), log)
    record = ProcessRecord(PROMETHEUS, pid, psutil.Process(pid).create_time(), port, str(log))
    _state_file().write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    return record


def _wait_until_ready(record: ProcessRecord) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while not _ready(record):
        ended = processes.exit_text(record.pid)
        if ended is not None or time.monotonic() >= end:
            why = f"ended ({ended})" if ended else f"was not ready within {_START_TIMEOUT:g} s"
            lines = Path(record.log).read_text(encoding="utf-8", errors="replace").splitlines()
            raise TestbedError(
                f"Prometheus {why}. The end of {record.log}:\n" + "\n".join(lines[-5:]),
                f"to start anew, remove its storage: {stacks.folder_of(PROMETHEUS) / 'data'}",
            )
        time.sleep(_RETRY)


def _ready(record: ProcessRecord) -> bool:
    # Not urllib, which would ask a proxy that the environment names.
    connection = http.client.HTTPConnection(ports.HOST, record.port, timeout=2)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end() -> bool:
    """End it, and what a crash may have left of an earlier one. Holds the lock already."""
    found = processes.strays(PROMETHEUS)
    processes.end(found, _STOP_GRACE)
    _state_file().unlink(missing_ok=True)
    return bool(found)


def _state_file() -> Path:
    return stacks.folder_of(PROMETHEUS) / "prometheus.json"
