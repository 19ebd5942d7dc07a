"""The stub server as a process, and the command line of the instrument."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from common.gen.taskqueue.v1 import task_queue_service_pb2 as pb
from common.gen.taskqueue.v1.task_queue_service_pb2_grpc import TaskQueueServiceStub
from common.rpc import connect
from testbed.errors import TestbedError
from testbed.record.model import Window
from testbed.runs.calibrate import drive, journal
from testbed.runs.calibrate.behaviour import Behaviour, Mixture, Stall
from testbed.runs.calibrate.plan import CalibrationPlan
from testbed.stack import records as stacks
from testbed.stack.records import StackRecord
from tests.support.children import children_with

CALLS = 20
EVER = Window(0, 4e9)


def test_stub_takes_the_known_time_and_notes_every_call(tmp_path: Path) -> None:
    service = {"SubmitJob": Mixture(((30.0, 1.0),)), "GetJobStatus": Mixture(((0.0, 1.0),))}
    with (
        drive.stub_server(Behaviour(service), tmp_path) as server,
        connect.channel(server.endpoints[0]) as channel,
    ):
        stub = TaskQueueServiceStub(channel)
        ids = {stub.SubmitJob(pb.SubmitJobRequest()).job_id for _ in range(CALLS)}
        status = stub.GetJobStatus(pb.GetJobStatusRequest(job_id="x")).status
    noted = journal.read(tmp_path / journal.NAME)
    assert len(ids) == CALLS
    assert (status.job_id, status.state) == ("x", pb.JOB_STATE_RUNNING)
    assert (noted.count("SubmitJob"), noted.count("GetJobStatus")) == (CALLS, 1)
    assert noted.service_ms("SubmitJob", EVER).min() >= 30


def test_stalled_answer_leaves_only_when_the_stall_is_over(tmp_path: Path) -> None:
    stall = Stall(1.0, 0.5, offset=0.0)
    service = {"SubmitJob": Mixture(((0.0, 1.0),))}
    with (
        drive.stub_server(Behaviour(service, stall), tmp_path) as server,
        connect.channel(server.endpoints[0]) as channel,
    ):
        stub = TaskQueueServiceStub(channel)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            stub.SubmitJob(pb.SubmitJobRequest())
    records = journal.read(tmp_path / journal.NAME).records
    held = [(int(b), int(e)) for _, b, e in records if stall.held_ns(int(b))]
    assert held
    assert all(end - begin >= stall.held_ns(begin) for begin, end in held)


def test_stub_ends_with_whoever_started_it(tmp_path: Path) -> None:
    with drive.stub_server(Behaviour({"SubmitJob": Mixture(((0.0, 1.0),))}), tmp_path):
        (child,) = children_with("testbed.runs.calibrate.stub")
    assert not child.is_running()


def test_journal_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match="is missing"):
        journal.read(tmp_path / "none")
    (tmp_path / "cut").write_bytes(b"12345")
    with pytest.raises(TestbedError, match="is cut"):
        journal.read(tmp_path / "cut")


def test_instrument_is_the_one_that_trials_use(tmp_path: Path) -> None:
    plan = CalibrationPlan()
    stub = StackRecord("stub", "stub", ("h:1",), {}, (), 0, {}, "")
    commands = {
        phase.name: drive.workload(plan, phase, stacks.project_root()).command(stub, tmp_path)
        for phase in plan.phases()
    }
    for command in map(list, commands.values()):
        assert command[1:3] == ["-m", "locust"]
        assert command[command.index("--record") + 1] == str(tmp_path)
    assert "--rate" in commands["stalls"]
    assert commands["stalls"][list(commands["stalls"]).index("--arrivals") + 1] == "even"
    assert "--rate" not in commands["closed loop"]
    with pytest.raises(TestbedError, match=r"mixed\.py is missing"):
        drive.check(plan, tmp_path)
