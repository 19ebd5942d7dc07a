"""What can be given to the locustfiles, and how what cannot is refused."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from testbed.stack.records import ProcessRecord, StackRecord, save
from tests.integration.load.processes import StartLocust, StartStub

RUN = ("--headless", "--only-summary", "-u", "1", "-t", "1s")
SOMEWHERE = ("-H", "127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--mix", "submit=1,dance=2"), "argument --mix: unknown operation 'dance'"),
        (("--mix", "submit=0"), "no operation has a weight above 0"),
        (("--mix", "submit"), "submit has no weight"),
        (("--deadline", "0"), "argument --deadline: must be a number from 0.001 to 60, is '0'"),
        (("--remember", "many"), "argument --remember: must be a whole number"),
        (("--rate", "-1"), "argument --rate: must be a number from 0 to 1000000, is '-1'"),
        (("--arrivals", "often"), "argument --arrivals: must be poisson or even, is 'often'"),
        (("--max-in-flight", "0"), "argument --max-in-flight: must be a whole number"),
        (("--shape", "wave:1@1s"), "argument --shape: 'wave:1@1s' is no shape; write steps:"),
        (("--shape", "ramp:1@1s"), "'ramp:1@1s': it takes 2 values, not 1"),
        (("--shape", "steps:1@now"), "'now' is no time above 0 such as 10s"),
        (("--shape", "steps:1.5@1s"), "--shape: users are whole numbers"),
        (("-H", "https://a:1"), "TLS is not supported"),
        (("-H", "localhost"), "'localhost' is not HOST:PORT"),
        (("-H", "a:1,a:1"), "names a:1 twice"),
    ],
)
def test_a_bad_option_ends_locust_with_a_message(
    start_locust: StartLocust, options: tuple[str, ...], message: str
) -> None:
    locust = start_locust("mixed.py", *RUN, *SOMEWHERE, *options).wait()

    assert locust.code != 0
    assert message in locust.output
    assert "Traceback" not in locust.output


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LOAD_JOB_MS", "-1", "argument --job-ms: must be a number from 0 to 600000, is '-1'"),
        (
            "LOAD_DEADLIN",
            "1",
            "unknown environment variable LOAD_DEADLIN; did you mean LOAD_DEADLINE?",
        ),
    ],
)
def test_a_bad_environment_variable_ends_locust_with_a_message(
    start_locust: StartLocust, variable: str, value: str, message: str
) -> None:
    locust = start_locust("mixed.py", *RUN, *SOMEWHERE, env={variable: value}).wait()

    assert locust.code != 0
    assert message in locust.output


def test_two_processes_with_nothing_to_drive_end_with_a_message(start_locust: StartLocust) -> None:
    locust = start_locust("mixed.py", *RUN, "--processes", "2").wait()

    assert locust.code != 0
    assert locust.output.count("no stack is up: start one with `make up-a`") == 1
    assert "-H HOST:PORT" in locust.output


def test_an_operation_without_weight_left_by_the_tags_is_an_error(
    start_locust: StartLocust,
) -> None:
    locust = start_locust(
        "mixed.py", *RUN, *SOMEWHERE, "--tags", "list", "--mix", "submit=1"
    ).wait()

    assert locust.code == 1
    assert "--mix has no weight for any of list" in locust.output


def test_tags_choose_among_the_operations(start_stub: StartStub, start_locust: StartLocust) -> None:
    stub = start_stub()
    locust = start_locust("mixed.py", *RUN, "-H", stub.host, "--tags", "list").wait()

    assert locust.code == 0, locust.output
    assert list(stub.calls()) == ["ListJobs"]


def test_a_directory_that_holds_a_record_is_not_overwritten(
    start_locust: StartLocust, tmp_path: Path
) -> None:
    (tmp_path / "load.json").write_text("{}")
    locust = start_locust("mixed.py", *RUN, *SOMEWHERE, "--record", str(tmp_path)).wait()

    assert locust.code != 0
    assert f"--record: {tmp_path} holds a record" in locust.output
    assert (tmp_path / "load.json").read_text() == "{}"


def test_all_help_lists_the_options_with_their_defaults(start_locust: StartLocust) -> None:
    locust = start_locust("mixed.py", "--help-all").wait()

    assert locust.code == 0
    for text in ("--mix", "--think-time", "LOAD_JOB_MS", "--headless", "Default: noop."):
        assert text in locust.output


def stack(home: Path, monkeypatch: pytest.MonkeyPatch, design: str, endpoint: str) -> None:
    """Leave the state of a stack that is up: its one process is this one."""
    monkeypatch.setenv("TESTBED_HOME", str(home))

    me = psutil.Process()
    process = ProcessRecord("node", me.pid, me.create_time(), 1, "node.log")
    save(StackRecord(design, "local", (endpoint,), {}, (process,), 6, {}, "now", ready=True))


@pytest.mark.slow
def test_the_stack_that_is_up_is_driven_and_of_two_the_one_that_is_named(
    start_stub: StartStub,
    start_locust: StartLocust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    stub = start_stub()
    stack(home, monkeypatch, "a", stub.host)
    alone = start_locust("submit.py", *RUN).wait()
    stack(home, monkeypatch, "b", "127.0.0.1:9")
    unclear = start_locust("submit.py", *RUN).wait()
    named = start_locust("submit.py", *RUN, "--design", "a").wait()

    assert (alone.code, named.code) == (0, 0), alone.output + named.output
    assert unclear.code != 0
    assert "designs a and b are both up: choose one with --design" in unclear.output
    assert stub.calls()["SubmitJob"] > 0
