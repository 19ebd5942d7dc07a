"""A server that is there already: what is asked of it, and a whole trial against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from testbed.drive.figures.trial import analyse
from testbed.drive.interrupts import Interrupts
from testbed.drive.load import Locust
from testbed.drive.stacks import RuntimeStacks
from testbed.drive.statements import ask
from testbed.drive.timed import TimedLoad
from testbed.drive.traffic import Traffic
from testbed.drive.trial import Tools, Trial, TrialSpec
from testbed.errors import TestbedError
from testbed.record import reader
from testbed.stack import records
from testbed.stack.records import StackRecord
from testbed.stack.runtimes import silent
from testbed.stack.runtimes.external import ExternalRuntime
from testbed.stack.sides import declaration
from testbed.stack.sides.declaration import Declaration
from testbed.stack.sides.resolve import resolve
from testbed.stack.sides.side import Side
from tests.integration.conftest import StackMaker
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.trials import ProgressLog

RUNTIME = ExternalRuntime(timeout=5)
DECLARED = declaration.parse(
    {"about": "ours", "durability": "disk", "slots": 8, "methods": ["ListJobs", "SubmitJob"]},
    "ours.toml",
)


def test_trial_drives_a_server_that_is_there_and_looks_its_jobs_up(
    start_stack: StackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(records.HOME_VARIABLE, str(tmp_path / "home"))
    stack = start_stack("b")
    before = stack.client().submit(pb.JobSpec(kind="noop"))
    side = resolve(",".join(stack.endpoints))
    traffic = Traffic(users=4, warmup=0, duration=2, job_ms=5)
    workload = TimedLoad(traffic, Locust(ROOT / "locustfiles" / "mixed.py", traffic), 30)
    tools = Tools(RuntimeStacks(ProgressLog()), ProgressLog(), Interrupts())
    folder = tmp_path / "trial"
    header = Trial(TrialSpec(1, side), workload, folder, tools).run()
    assert (header.status, header.error) == ("complete", "")
    trial = reader.read_trial(folder)
    figures = analyse(trial)
    assert figures.problems == ()
    assert figures.figures["jobs_accepted"].value == len(trial.jobs) > 0
    assert figures.figures["completion_p50_ms"].samples > 0
    assert before not in {job.job_id for job in trial.jobs}
    for name in ("cpu_ms_per_job", "stack_cores", "peak_rss_mib"):
        assert figures.figures[name].value is None
    assert figures.figures["generator_cores"].value
    assert not (tmp_path / "home").exists()


def test_record_of_a_server_has_its_declaration_and_nothing_else(start_stack: StackMaker) -> None:
    (address,) = start_stack("a").endpoints
    found: list[str] = []
    with_list = Declaration("ours.toml", "ours", "disk", "at-least-once", 8)
    record = RUNTIME.up(Side.parse(address), with_list, found.append)
    assert found == [f"{address} serves"]
    assert (record.design, record.endpoints, record.slots) == (address, (address,), 8)
    assert ask(record).facts == {
        "durability": "disk",
        "delivery": "at-least-once",
        "slots": "8",
    }


def test_address_where_nobody_serves_is_named(start_stack: StackMaker) -> None:
    (address,) = start_stack("a").endpoints
    dead = f"127.0.0.1:{free_port()}"
    with pytest.raises(TestbedError, match=f"{dead} does not answer: UNAVAILABLE"):
        RUNTIME.up(Side.parse(f"{address},{dead}"), None, silent)


def test_server_of_another_contract_is_refused(start_stack: StackMaker) -> None:
    queue = start_stack("a").address("queue")
    with pytest.raises(TestbedError, match=f"{queue} does not serve taskqueue.v1.TaskQueueService"):
        RUNTIME.up(Side.parse(queue), None, silent)


def test_server_whose_jobs_cannot_be_looked_up_is_refused_by_its_declaration() -> None:
    with pytest.raises(TestbedError, match=r"ours\.toml: without GetJobStatus it cannot be looked"):
        RUNTIME.up(Side.parse("127.0.0.1:1"), DECLARED, silent)


def test_fault_of_a_server_is_refused_by_name() -> None:
    record = StackRecord("127.0.0.1:1", "external", ("127.0.0.1:1",), {}, (), 0, {}, "")
    controls = RUNTIME.controls(record)
    with pytest.raises(TestbedError, match=r"kill gateway: 127\.0\.0\.1:1 .* broken from here"):
        controls.kill("gateway")
    assert controls.clear_links() == 0
