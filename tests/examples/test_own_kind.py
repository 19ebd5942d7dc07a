"""The kind of job of one's own, copied in as its README says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from common.config import environment_of
from tests.examples.conftest import EXAMPLES, SECONDS
from tests.support.client import DONE, Client, rejection_of, spec
from tests.support.ports import free_port
from tests.support.stacks import ROOT, health_of
from tests.support.waiting import eventually

KIND = EXAMPLES / "own_kind" / "prime_count.py"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of one node of Design B that runs from a copy of the code with the kind in it."""
    project = tmp_path_factory.mktemp("project")
    for package in ("common", "design_b"):
        shutil.copytree(ROOT / package, project / package)
    shutil.copy(KIND, project / "common" / "handlers")
    address = f"127.0.0.1:{free_port()}"
    settings = {"name": "node-0", "listen": address, "metrics": "127.0.0.1:0", "slots": 2}
    process = subprocess.Popen(
        [sys.executable, "-m", "design_b"], cwd=project, env=os.environ | environment_of(settings)
    )
    try:
        eventually(lambda: health_of(address), lambda health: health == "SERVING", SECONDS)
        made = Client([address])
        yield made
        made.close()
    finally:
        process.terminate()
        process.wait(SECONDS)


def test_a_kind_that_is_copied_in_runs(client: Client) -> None:
    status = client.run(spec("prime_count", b"1000"))

    assert status.state == DONE
    assert client.result(status.job_id).output == b"168"


@pytest.mark.parametrize("payload", [b"many", b"1", b"-7", b"9" * 5000])
def test_its_payload_is_checked_when_a_job_is_submitted(client: Client, payload: bytes) -> None:
    rejection = rejection_of(lambda: client.submit(spec("prime_count", payload)))

    assert (rejection.reason, rejection.metadata["field"]) == ("UNREADABLE_PAYLOAD", "job.payload")
