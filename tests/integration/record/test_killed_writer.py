"""A history whose writer is killed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from testbed.record.history import files


def test_a_killed_writer_loses_nothing_that_it_announced(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    program = f"""
        import sys
        from testbed.record.history.model import Submitted
        from testbed.record.history.writer import HistoryWriter
        writer = HistoryWriter({str(path)!r})
        while True:
            operation = writer.invoke("u", "h:1", "SubmitJob", Submitted("noop", "d"))
            print(operation, flush=True)
            writer.ok(operation, f"j{{operation}}")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(200):
            announced = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        for line in process.stdout.read().splitlines(keepends=True):
            announced = int(line) if line.endswith("\n") else announced
    history = files.read(path)
    assert [each.id for each in history.operations][:announced] == list(range(1, announced + 1))
    assert len(history.operations) - announced in {0, 1}
