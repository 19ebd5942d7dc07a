"""Servers that are not ours, run for tests as a stack runs them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common.config import Settings
from common.process_spec import ProcessSpec
from testbed.stack import environment
from tests.support.waiting import eventually


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: as root, PostgreSQL runs as another one.

    Not one of pytest's: each session of it closes all of those to other users, and a PostgreSQL
    that can no longer read its own files stops.
    """
    with tempfile.TemporaryDirectory(prefix="taskqueue-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def running(spec: ProcessSpec, folder: Path, **values: str) -> Iterator[str]:
    """Run a server over an open folder until the end of the block; gives its ``host:port``.

    A test that uses it needs the mark ``needs``.
    """
    data = folder / spec.name
    data.mkdir(exist_ok=True)
    given = {
        "data": str(data),
        "host": "127.0.0.1",
        "port": str(spec.port),
        "redis_fsync": Settings.redis_fsync,
        "pg_sync": Settings.pg_sync,
    }
    filled = spec.filled({**given, **values})
    variables = environment.with_programs(environment.of_process(os.environ))
    log = folder / f"{spec.name}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            filled.command, env=variables, stdout=output, stderr=output, start_new_session=True
        )

    def serves() -> bool:
        assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        done = subprocess.run(filled.ready.command, env=variables, check=False, capture_output=True)
        return done.returncode == 0

    try:
        eventually(serves, within=60, what=spec.name)
        yield f"127.0.0.1:{spec.port}"
    finally:
        server.send_signal(signal.Signals[spec.stop_signal])
        server.wait(20)
