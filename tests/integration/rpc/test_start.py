"""Processes that cannot start say why, and end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest


def start_node(module: str = "design_b", **variables: str) -> subprocess.CompletedProcess[str]:
    given = {
        "TASKQUEUE_NAME": "node-0",
        "TASKQUEUE_LISTEN": "127.0.0.1:0",
        "TASKQUEUE_METRICS": "127.0.0.1:0",
    }
    inherited = {key: value for key, value in os.environ.items() if "TASKQUEUE" not in key}
    return subprocess.run(
        [sys.executable, "-m", module],
        env={**inherited, **given, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_unknown_variables_are_refused_by_name() -> None:
    ended = start_node(TASKQUEUE_LEESE="5")
    assert ended.returncode == 2
    assert "TASKQUEUE_LEESE is unknown" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = start_node(TASKQUEUE_LISTEN=address)
    assert ended.returncode == 2
    assert f"cannot listen on {address}" in ended.stderr


@pytest.mark.parametrize(
    ("module", "peers"), [("design_a.job", ""), ("design_b", "node-1=127.0.0.1:1")]
)
def test_process_that_is_called_by_others_or_calls_them_does_not_start_without_their_secret(
    module: str, peers: str
) -> None:
    ended = start_node(module, TASKQUEUE_PEERS=peers)
    assert ended.returncode == 2
    assert "TASKQUEUE_SECRET_FILE is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
