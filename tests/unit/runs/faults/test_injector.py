"""A schedule injected into a stack that only writes down what is done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import design_b.topology
from common.stack_spec import StackSpec
from common.topology import Topology
from design_a.topology import TOPOLOGY
from testbed.errors import TestbedError
from testbed.record.history import files
from testbed.record.history.model import ALL_JOBS, LostJobs
from testbed.record.history.writer import HistoryWriter
from testbed.runs.faults.injector import FaultInjector, NotHealed
from testbed.runs.faults.plan import FaultPlan, PlannedFault
from testbed.stack import prepare

QUICK = FaultPlan("x", lead=0.01, seconds=0.01, health=0.01, recovery=0.1)
KILL = PlannedFault(1, "kill", "worker")
OWNER = PlannedFault(2, "kill", "job")


@dataclass
class Notebook:
    """Stands in for the controls of a stack."""

    done: list[str] = field(default_factory=list)
    refuses: str = ""

    @property
    def record(self) -> Any:
        return prepare.blank("local", TOPOLOGY, StackSpec())

    def __getattr__(self, name: str) -> Callable[..., bool]:
        def act(*arguments: object) -> bool:
            action = " ".join(map(str, (name, *arguments)))
            self.done.append(action)
            if action == self.refuses:
                raise TestbedError(f"cannot {action}")
            return True

        return act


@pytest.fixture
def writer(tmp_path: Path) -> HistoryWriter:
    return HistoryWriter(tmp_path / "history-faults.jsonl", "a")


def injector(
    writer: HistoryWriter,
    controls: Notebook,
    plan: FaultPlan = QUICK,
    unhealthy: Callable[[], tuple[str, ...]] = lambda: (),
    watch: Callable[[], None] = lambda: None,
    topology: Topology = TOPOLOGY,
) -> FaultInjector:
    return FaultInjector(plan, topology, controls, writer, unhealthy, watch, lambda _text: None)  # type: ignore[arg-type]


def test_each_fault_is_injected_and_healed_and_in_the_history(
    writer: HistoryWriter, tmp_path: Path
) -> None:
    controls = Notebook()
    run = injector(writer, controls)
    run.run((KILL, OWNER))
    writer.close()

    assert controls.done == ["kill worker", "start worker", "kill job", "start job"]
    first, second = files.read(tmp_path).faults
    assert (first.kind, first.targets, first.lost_state) == ("kill", ("worker",), ())
    assert (second.targets, second.lost_state) == (("job",), ("job",))
    assert first.begun <= first.ended <= second.begun <= second.ended
    assert [each.planned for each in run.done] == [KILL, OWNER]
    assert not any(each.unhealthy for each in run.done)


@pytest.mark.parametrize(
    ("topology", "target", "lost_jobs"),
    [
        (TOPOLOGY, "worker", ()),
        (TOPOLOGY, "job", ALL_JOBS),
        (TOPOLOGY, "result", ALL_JOBS),
        (design_b.topology.TOPOLOGY, "node-3", (3,)),
    ],
)
def test_the_history_says_which_jobs_were_lost_with_the_memory_of_a_process(
    writer: HistoryWriter, tmp_path: Path, topology: Topology, target: str, lost_jobs: LostJobs
) -> None:
    injector(writer, Notebook(), topology=topology).run((PlannedFault(1, "kill", target),))
    writer.close()

    assert files.read(tmp_path).faults[0].lost_jobs == lost_jobs


def test_what_is_stopped_in_the_middle_is_healed_first(
    writer: HistoryWriter, tmp_path: Path
) -> None:
    controls = Notebook()

    def watch() -> None:
        if controls.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        injector(writer, controls, replace(QUICK, seconds=60), watch=watch).run((KILL, OWNER))
    writer.close()

    assert controls.done == ["kill worker", "start worker"]
    (fault,) = files.read(tmp_path).faults
    assert fault.ended < fault.begun + 60_000_000


def test_a_fault_that_cannot_be_done_ends_the_run(writer: HistoryWriter) -> None:
    controls = Notebook(refuses="kill worker")
    with pytest.raises(TestbedError, match="cannot kill worker"):
        injector(writer, controls).run((KILL, OWNER))
    assert "kill job" not in controls.done


def test_a_process_that_takes_its_time_is_waited_for_and_named(writer: HistoryWriter) -> None:
    answers = iter([("gateway",), ("gateway",), ()])
    run = injector(writer, Notebook(), replace(QUICK, recovery=60), lambda: next(answers))
    run.run((KILL,))
    (done,) = run.done
    assert done.unhealthy == ("gateway",)
    assert done.waited > 0


def test_a_stack_that_does_not_become_healthy_ends_the_run_and_is_named(
    writer: HistoryWriter,
) -> None:
    run = injector(writer, Notebook(), unhealthy=lambda: ("queue",))
    with pytest.raises(NotHealed, match=r"queue did not serve .* after fault 1, kill worker"):
        run.run((KILL, OWNER))
    assert len(run.done) == 1


def test_a_pause_lasts_as_long_as_its_kind_says(writer: HistoryWriter, tmp_path: Path) -> None:
    injector(writer, Notebook()).run((PlannedFault(1, "pause_short", "worker"),))
    writer.close()
    (fault,) = files.read(tmp_path).faults
    assert fault.ended - fault.begun > 50_000, "longer than the plan says of others"
