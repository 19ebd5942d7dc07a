"""Programs that are not ours as processes of a stack: asked in their own ways, treated alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.process_spec import COMMAND, DISK, HTTP, TCP, ProcessSpec, Ready
from common.stack_spec import StackSpec
from common.topology import Topology
from testbed.errors import TestbedError
from testbed.runs.faults import registry
from testbed.stack import designs
from testbed.stack import records as stacks
from testbed.stack.observability import targets
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.local import LocalRuntime, processes
from tests.integration.stack.test_commands import run
from tests.support.ports import free_ports
from tests.support.waiting import eventually

DESIGN = "fake"
# Python's own file server, which serves its data folder and knows nothing of this project.
SERVER = (
    *(sys.executable, "-m", "http.server", "{port}"),
    *("--bind", "{host}", "--directory", "{data}"),
)
FETCH = "import sys, urllib.request as u; u.urlopen('http://' + sys.argv[1], timeout=5)"
READY = {
    "web": Ready(HTTP, "/"),
    "port": Ready(TCP),
    "asked": Ready(COMMAND, command=(sys.executable, "-c", FETCH, "{host}:{port}")),
}
Up = Callable[..., StackRecord]


@pytest.fixture
def servers() -> Topology:
    found = [
        ProcessSpec(name, port=port, holds=DISK, command=SERVER, ready=ready)
        for (name, ready), port in zip(READY.items(), free_ports(len(READY)), strict=True)
    ]
    return Topology(DESIGN, "three file servers", tuple(found), ("web",))


@pytest.fixture
def up(runtime: LocalRuntime, servers: Topology, home: Path) -> Iterator[Up]:
    yield lambda topology=servers, **spec: runtime.up(topology, StackSpec(**spec), silent)
    runtime.down(DESIGN, silent)


def health(runtime: LocalRuntime, record: StackRecord) -> dict[str, str]:
    return {each.record.name: each.health for each in runtime.status(record)}


def alone(topology: Topology, name: str, **changes: object) -> Topology:
    process = replace(topology.process(name), **changes)  # type: ignore[arg-type]
    return replace(topology, processes=(process,), entries=(name,))


def test_each_is_asked_in_its_own_way_whether_it_serves(runtime: LocalRuntime, up: Up) -> None:
    record = up()

    assert health(runtime, record) == dict.fromkeys(READY, "SERVING")
    assert stacks.find() == [record]
    assert all(each.memory_bytes > 1 << 20 for each in runtime.status(record))
    assert all(use is not None for use in runtime.meter(record).read().values())


def test_without_settings_of_ours_it_gets_its_own_environment(
    up: Up, servers: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKQUEUE_LEASE", "9")
    record = up(alone(servers, "web", environment={"WHERE": "{data}"}))

    environment = record.processes[0].process().environ()  # type: ignore[union-attr]

    assert environment["WHERE"] == str(stacks.data_folder(DESIGN, "web"))
    assert not any(name.startswith("TASKQUEUE_") for name in environment)


def test_killed_or_paused_it_is_seen_and_healed_with_its_files_still_there(
    runtime: LocalRuntime, up: Up, servers: Topology
) -> None:
    record = up()
    controls, folder = runtime.controls(record), stacks.data_folder(DESIGN, "web")
    (folder / "kept").write_text("still here")
    kill, pause = registry.get("kill"), registry.get("pause_long")
    web = kill.target(servers, "web")

    kill.inject(controls, web, {})
    assert health(runtime, record) == {"web": "dead", "port": "SERVING", "asked": "SERVING"}
    kill.heal(controls, web)
    assert health(runtime, controls.record)["web"] == "SERVING"
    assert (folder / "kept").read_text() == "still here"

    pause.inject(controls, web, {})
    assert health(LocalRuntime(health_timeout=0.2), controls.record)["web"] == "no answer"
    pause.heal(controls, web)
    assert health(runtime, controls.record)["web"] == "SERVING"

    runtime.down(DESIGN, silent)
    assert not folder.parent.exists()


def test_files_of_an_earlier_stack_are_not_found_by_the_next(
    runtime: LocalRuntime, up: Up, servers: Topology
) -> None:
    web = alone(servers, "web")
    up(web)
    folder = stacks.data_folder(DESIGN, "web")
    (folder / "old").touch()
    runtime.down(DESIGN, silent)

    up(web)

    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


def test_program_that_is_missing_is_named_with_what_brings_it(up: Up, servers: Topology) -> None:
    wanted = {"no-such-server": "apt-get install no-such", "{tree}/no/such": "make it"}
    with pytest.raises(TestbedError, match="design fake needs `no-such-server`, which is") as error:
        up(alone(servers, "web", needs=wanted))
    assert error.value.hint == "apt-get install no-such\nmake it"
    with pytest.raises(TestbedError, match="needs `nothing-here`"):
        up(alone(servers, "web", command=("nothing-here", "{data}")))
    assert stacks.load(DESIGN) is None


def test_program_that_ends_at_once_is_named_with_the_end_of_its_log(
    up: Up, servers: Topology
) -> None:
    command = (sys.executable, "-c", "raise SystemExit('no ledger')")
    with pytest.raises(TestbedError, match=r"web ended during start \(exit code 1\)(.|\n)*no ledg"):
        up(alone(servers, "web", command=command))


def test_program_that_never_serves_is_given_up_on(home: Path, servers: Topology) -> None:
    runtime = LocalRuntime(start_timeout=0.5, lock_wait=0.0)
    waiting = (sys.executable, "-c", "import signal; signal.pause()")
    with pytest.raises(TestbedError, match=r"web did not serve within 0.5 s"):
        runtime.up(alone(servers, "web", command=waiting), StackSpec(), silent)
    assert processes.strays(DESIGN) == []


def test_what_it_cannot_have_is_refused(up: Up, servers: Topology, runtime: LocalRuntime) -> None:
    with pytest.raises(TestbedError, match="design fake has no links: no process of ours"):
        up(links=True)
    with pytest.raises(TestbedError, match="no process of ours, and no other clock"):
        up(clock=True)
    with pytest.raises(TestbedError, match="no other has the settings lease"):
        up(settings={"lease": "9"})
    controls = runtime.controls(up())
    with pytest.raises(TestbedError, match="web of design fake is no process of ours"):
        controls.isolate("web")
    with pytest.raises(TestbedError, match="web of design fake is no process of ours"):
        controls.set_clock("web", 60)
    assert not controls.rejoin("web")


def test_commands_show_what_is_known_of_it(
    up: Up, servers: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(designs.DESIGNS, DESIGN, "a module that nobody loads here")
    record = up()

    # On a busy machine one of them may not answer in the time that it is given.
    shown = eventually(lambda: run("status"), lambda result: result.exit_code == 0)

    assert "slots unknown" in shown.stdout
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("web ")]
    assert line.split()[2:5] == [f"127.0.0.1:{servers.process('web').port}", "-", "SERVING"]
    assert targets.folder().joinpath(f"stack-{DESIGN}.json").read_text().strip() == "[]"
    log = Path(record.processes[0].log)
    eventually(log.read_text, lambda text: "GET / " in text, what="its log")
    assert "GET / " in run("logs", DESIGN, "web").stdout


def test_state_file_from_before_there_were_others_is_read(up: Up) -> None:
    record = up()
    text = stacks.state_file(DESIGN).read_text()
    for field in ("command", "ports", "ready"):
        assert f'"{field}"' in text
    older = {"name": "n", "pid": os.getpid(), "create_time": time.time(), "port": 1, "log": "l"}
    read = stacks.parse_process({**older, "calls": [], "module": "design_b"})
    assert (read.is_ours, read.ready, read.ports) == (True, Ready(), {})
    assert stacks.load(DESIGN) == record
