"""What goes wrong in a run of Locust: it is logged in a line, and the exit code is not 0."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.load.processes import (
    LOCUSTFILES,
    Locust,
    StartLocust,
    StartStub,
    read_record,
)
from tests.support.ports import free_port
from tests.support.waiting import eventually

RUN = ("--headless", "--only-summary", "-u", "2", "-r", "100")
NOBODY = ("-H", "127.0.0.1:9")
ROOM = 20_000
# Works on for as long as is asked, as imports do, and lets nothing else run meanwhile.
BLOCKS = """
import time
import gevent
from locust import events
from taskqueue_load import SubmitUser

def block(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

{}
"""


def errors_of(output: str) -> list[str]:
    return [line for line in output.splitlines() if "/ERROR/" in line or "Traceback" in line]


def locustfile(folder: Path, code: str) -> str:
    path = folder / "own.py"
    path.write_text(BLOCKS.format(code), encoding="utf-8")
    return str(path)


@pytest.mark.slow
def test_drive_lasts_as_long_as_asked_however_long_locust_took_to_start(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    locust = start_locust(
        locustfile(tmp_path, "block(2)"), *RUN, "-t", "2s", "-H", stub.host,
        "--record", str(record), env={"PYTHONPATH": str(LOCUSTFILES)},
    ).wait()  # fmt: skip

    assert locust.code == 0, locust.output
    data = read_record(record).data
    assert data["asked_seconds"] == 2
    assert data["window"]["to_unix"] - data["window"]["from_unix"] >= 0.98 * 2


def test_drive_that_is_cut_short_ends_with_an_exit_code_of_its_own(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, record = start_stub(), tmp_path / "record"
    code = """
@events.test_start.add_listener
def end_soon(environment, **_):
    gevent.spawn(environment.runner.quit)
"""
    locust = start_locust(
        locustfile(tmp_path, code), *RUN, "-t", "1h", "-H", stub.host, "--record", str(record),
        "--exit-code-on-error", "0", env={"PYTHONPATH": str(LOCUSTFILES)},
    ).wait()  # fmt: skip

    assert locust.code == 3, locust.output
    assert "s of the 3600 s asked for" in locust.output
    assert read_record(record).data["asked_seconds"] == 3600


def test_drive_that_its_user_stops_is_short_without_being_an_error(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub = start_stub()
    running = start_locust("submit.py", *RUN, "-t", "1h", "-H", stub.host)
    wait_for_users(running)
    running.interrupt()
    locust = running.wait()

    assert locust.code == 0, locust.output
    assert "s of the 3600 s asked for" in locust.output


def wait_for_users(running: Locust) -> None:
    spawned = ("All users spawned", "Spawning is complete")
    eventually(
        running.output, lambda text: any(each in text for each in spawned), 60.0, "the users"
    )


@pytest.mark.parametrize("file", ["mixed.py", "submit.py"])
def test_tags_that_leave_no_task_are_one_line(start_locust: StartLocust, file: str) -> None:
    locust = start_locust(file, *RUN, "-t", "1s", *NOBODY, "--tags", "nothing").wait()

    assert locust.code == 1
    (line,) = errors_of(locust.output)
    assert "the test cannot start: --tags, --exclude-tags: no task of" in line


def test_server_that_answers_nothing_is_one_line(start_locust: StartLocust) -> None:
    locust = start_locust("submit.py", *RUN, "-t", "1s", *NOBODY).wait()

    assert locust.code == 1
    (line,) = errors_of(locust.output)
    assert "not one call was answered by 127.0.0.1:9: UNAVAILABLE" in line


@pytest.mark.parametrize("option", ["--record", "--history"])
def test_full_disk_ends_a_run_with_what_was_written_kept(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path, option: str
) -> None:
    stub, folder = start_stub(), tmp_path / "record"
    running = start_locust(
        "submit.py", *RUN, "-t", "1h", "--think-time", "0", "-H", stub.host, option, str(folder),
        "--exit-code-on-error", "0",
    )  # fmt: skip
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (ROOM, ROOM))
    locust = running.wait()

    assert locust.code == 1, locust.output
    assert "the record cannot be continued, the test ends: " in locust.output
    assert "Traceback" not in locust.output
    (written,) = folder.glob("accepted-*.txt" if option == "--record" else "history-*.jsonl")
    assert written.stat().st_size > ROOM / 2
    assert stub.calls()["SubmitJob"] > 0


def test_folder_that_cannot_be_written_is_refused_before_the_start(
    start_locust: StartLocust, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    locust = start_locust(
        "submit.py", *RUN, "-t", "1s", *NOBODY, "--record", str(tmp_path / "file" / "record")
    ).wait()

    assert locust.code == 1
    assert "locust: error: [Errno 20]" in locust.output
    assert "Traceback" not in locust.output


@pytest.mark.slow
def test_second_run_with_processes_ends_before_it_joins_the_first(
    start_stub: StartStub, start_locust: StartLocust, tmp_path: Path
) -> None:
    stub, port = start_stub(), str(free_port())
    meet = ("--processes", "2", "--master-bind-port", port, "-H", stub.host)
    first = start_locust("submit.py", *RUN, "-t", "1h", *meet)
    wait_for_users(first)
    second = start_locust("submit.py", *RUN, "-t", "1h", *meet).wait()
    first.interrupt()
    output = first.wait().output

    assert second.code == 1
    assert (
        f"locust: error: port {port}, where the processes of a run meet, is taken" in second.output
    )
    assert "Traceback" not in second.output
    assert output.count("reported as ready") == 2


def test_forked_workers_end_with_a_parent_that_never_got_its_port() -> None:
    program = """
import os, sys
from taskqueue_load.processes import _gate
_gate.shut(1)
child = os.fork()
if not child:
    os.write(1, b"went on")
    os._exit(0)
if sys.argv[1] == "open":
    _gate.open()
    os.waitpid(child, 0)
"""
    for action, printed in (("open", "went on"), ("die", "")):
        done = subprocess.run(
            [sys.executable, "-c", program, action],
            env={**os.environ, "PYTHONPATH": str(LOCUSTFILES)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == printed
