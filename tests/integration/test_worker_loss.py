"""Design A when its worker, coordinator or gateway dies: no accepted job is lost."""

from __future__ import annotations

import pytest

from tests.integration.conftest import StackMaker
from tests.support import jobs
from tests.support.client import CANCELED, DONE, QUEUED, RUNNING, Client, rejection_of
from tests.support.waiting import eventually

# Sooner than usual, and yet late enough for a machine that has much else to do.
QUICK = {"heartbeat_interval": 0.2, "heartbeat_timeout": 3.0, "lease": 6.0}
# So long that a test which waits for it to run out fails.
PATIENT = {"heartbeat_interval": 0.5, "heartbeat_timeout": 120.0, "lease": 240.0}


def _long_jobs(client: Client, count: int) -> list[str]:
    job_ids = [client.submit(jobs.sleep(600_000)) for _ in range(count)]
    for job_id in job_ids:
        client.wait(job_id, RUNNING)
    return job_ids


def _cancel_all(client: Client, job_ids: list[str]) -> None:
    for job_id in job_ids:
        client.cancel(job_id)
    assert {client.wait(job_id).state for job_id in job_ids} == {CANCELED}


def test_jobs_of_a_killed_worker_run_again_on_another_under_the_next_attempt(
    start_stack: StackMaker,
) -> None:
    stack = start_stack("a", **QUICK)
    stack.add_process("worker-2", like="worker")
    client = stack.client()
    job_ids = _long_jobs(client, 12)
    worker_of = {job_id: client.status(job_id).worker for job_id in job_ids}
    victim = worker_of[job_ids[0]]
    (survivor,) = {"worker", "worker-2"} - {victim}

    stack.kill(victim)

    for job_id in job_ids:
        if worker_of[job_id] == victim:
            status = eventually(
                lambda job_id=job_id: client.status(job_id),
                lambda status: status.attempt == 2,
                what=f"second attempt of {job_id}",
            )
            assert (status.state, status.worker) == (RUNNING, survivor)
        else:
            assert client.status(job_id).attempt == 1
    _cancel_all(client, job_ids)


def test_jobs_of_a_killed_worker_run_again_once_it_is_restarted(start_stack: StackMaker) -> None:
    stack = start_stack("a", **QUICK)
    client = stack.client()
    job_ids = [client.submit(jobs.sleep(3_000)) for _ in range(24)]
    # The first may have ended by now on a busy machine.
    client.wait(job_ids[11], RUNNING)

    stack.kill("worker")
    assert {client.status(job_id).state for job_id in job_ids} <= {RUNNING, QUEUED, DONE}
    stack.start("worker")

    statuses = [client.wait(job_id, within=60) for job_id in job_ids]
    assert {status.state for status in statuses} == {DONE}
    assert max(status.attempt for status in statuses) == 2
    assert "taskqueue_redeliveries_total" in stack.metrics("queue")


def test_a_canceled_job_of_a_killed_worker_ends_canceled(start_stack: StackMaker) -> None:
    stack = start_stack("a", **QUICK)
    client = stack.client()
    (job_id,) = _long_jobs(client, 1)

    stack.kill("worker")
    assert client.cancel(job_id).state == RUNNING
    stack.start("worker")

    status = client.wait(job_id, within=60)
    assert (status.state, status.cancel_requested) == (CANCELED, True)


def test_processes_for_cpu_work_die_with_their_worker(start_stack: StackMaker) -> None:
    stack = start_stack("a", **QUICK)
    client = stack.client()
    job_id = client.submit(jobs.spin(600_000))
    client.wait(job_id, RUNNING)
    worker = stack.process("worker")
    children = eventually(
        lambda: worker.children(recursive=True), what="a process that burns the CPU"
    )

    stack.kill("worker")

    eventually(
        lambda: not any(child.is_running() and child.status() != "zombie" for child in children),
        what="the end of the processes of a killed worker",
    )


def test_a_killed_coordinator_costs_nothing_but_time(start_stack: StackMaker) -> None:
    stack = start_stack("a", **PATIENT)
    client = stack.client()
    running = [client.submit(jobs.sleep(8_000)) for _ in range(12)]
    for job_id in running:
        client.wait(job_id, RUNNING)
    stack.wait_until_held(12)
    queued = [client.submit(jobs.sleep(1)) for _ in range(12)]

    stack.kill("coordinator")
    late = client.submit(jobs.sleep(1))
    assert client.status(running[0]).state == RUNNING
    stack.start("coordinator")

    statuses = [client.wait(job_id, within=60) for job_id in [*running, *queued, late]]
    assert {status.state for status in statuses} == {DONE}
    assert {status.attempt for status in statuses} == {1}, "nothing had to run again"


def test_a_restarted_coordinator_passes_on_cancels_of_running_jobs(
    start_stack: StackMaker,
) -> None:
    stack = start_stack("a", **PATIENT)
    client = stack.client()
    job_ids = _long_jobs(client, 3)
    stack.wait_until_held(3)

    stack.kill("coordinator")
    assert client.cancel(job_ids[0]).cancel_requested
    stack.start("coordinator")

    assert client.wait(job_ids[0]).state == CANCELED
    assert {client.status(job_id).attempt for job_id in job_ids} == {1}
    _cancel_all(client, job_ids[1:])


@pytest.mark.slow
def test_a_restarted_coordinator_keeps_renewing_the_leases_of_running_jobs(
    start_stack: StackMaker,
) -> None:
    # A lease that lasts for longer than a coordinator takes to start on a busy machine.
    stack = start_stack("a", **QUICK | {"lease": 8.0})
    client = stack.client()
    job_id = client.submit(jobs.sleep(17_000))
    client.wait(job_id, RUNNING)
    stack.wait_until_held(1)

    stack.kill("coordinator")
    stack.start("coordinator")

    # Two leases later the job has ended, and nobody else was given it.
    status = client.wait(job_id, within=60)
    assert (status.state, status.attempt) == (DONE, 1)


def test_a_killed_gateway_is_replaced_without_loss(start_stack: StackMaker) -> None:
    stack = start_stack("a")
    client = stack.client()
    job_ids = [client.submit(jobs.sleep(300), f"request-{number}") for number in range(24)]

    stack.kill("gateway")
    stack.start("gateway")

    client = stack.client()
    assert {client.wait(job_id).state for job_id in job_ids} == {DONE}
    assert client.submit(jobs.sleep(300), "request-0") == job_ids[0]
    assert {job.job_id for job in client.all_jobs()} == set(job_ids)


@pytest.mark.parametrize("owner", ["job", "queue", "result"])
def test_an_owner_out_of_reach_makes_its_calls_unavailable(
    start_stack: StackMaker, owner: str
) -> None:
    stack = start_stack("a")
    client = stack.client()
    done = client.run(jobs.sleep(1)).job_id

    stack.kill(owner)

    refused = {
        "job": [
            lambda: client.submit(jobs.noop()),
            lambda: client.status(done),
            lambda: client.result(done),
            lambda: client.cancel(done),
            client.list,
        ],
        "queue": [lambda: client.submit(jobs.noop())],
        "result": [lambda: client.result(done)],
    }[owner]
    for call in refused:
        rejection = rejection_of(call)
        assert (rejection.code, rejection.reason) == ("UNAVAILABLE", "OWNER_UNREACHABLE")
        assert rejection.metadata == {"owner": owner, "outcome": "indefinite"}
    _assert_the_rest_still_answers(client, done, owner)


def _assert_the_rest_still_answers(client: Client, done: str, owner: str) -> None:
    if owner == "job":
        return
    assert client.status(done).state == DONE
    assert done in {job.job_id for job in client.list().jobs}
    if owner == "queue":
        assert client.result(done).state == DONE
        # The submit that failed was withdrawn, so nothing is left of it.
        eventually(
            lambda: client.all_jobs(kind="noop"),
            lambda left: not left,
            what="the withdrawal of the job",
        )


def test_submits_go_on_while_no_worker_lives_and_run_when_one_does(
    start_stack: StackMaker,
) -> None:
    stack = start_stack("a", **QUICK)
    client = stack.client()
    stack.kill("worker")
    job_ids = [client.submit(jobs.sleep(1)) for _ in range(20)]
    assert {client.status(job_id).state for job_id in job_ids} <= {QUEUED, RUNNING}

    stack.start("worker")

    assert {client.wait(job_id, within=60).state for job_id in job_ids} == {DONE}
