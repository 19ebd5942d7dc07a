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


def let_others_enter(folder: Path) -> None:
    """Let any user enter a folder of a test: as root, PostgreSQL runs as another one."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for each in (folder, *folder.parents):
        if each.resolve() == temporary or temporary not in each.resolve().parents:
            return
        each.chmod(0o755)


@contextlib.contextmanager
def running(spec: ProcessSpec, folder: Path, **values: str) -> Iterator[str]:
    """Run a server until the end of the block; gives its ``host:port``.

    A test that uses it needs the mark ``needs``.
    """
    given = {
        "data": str(folder),
        "host": "127.0.0.1",
        "port": str(spec.port),
        "redis_fsync": Settings.redis_fsync,
        "pg_sync": Settings.pg_sync,
    }
    filled = spec.filled({**given, **values})
    variables = environment.with_programs(environment.of_process(os.environ))
    let_others_enter(folder)
    log = folder.with_suffix(".log")
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
