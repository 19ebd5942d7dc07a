"""A process of a fake design: serves health alone, and misbehaves as it is asked to.

``FAKE_BEHAVIOUR`` is ``NAME=WHAT,...`` with one of the behaviours below for a process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

CRASH, HANG, DEAF, PARENT, UNWELL = "crash", "hang", "deaf", "parent", "unwell"


def main() -> None:
    name, address = os.environ["TASKQUEUE_NAME"], os.environ["TASKQUEUE_LISTEN"]
    given = filter(None, os.environ.get("FAKE_BEHAVIOUR", "").split(","))
    behaviour = dict(pair.split("=") for pair in given).get(name)
    if behaviour == CRASH:
        sys.stderr.write("cannot open the ledger\n")
        sys.exit(3)
    if behaviour == HANG:
        signal.pause()
    if behaviour == PARENT:
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    _serve(address, behaviour)


def _serve(address: str, behaviour: str | None) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if behaviour == DEAF else stop.set())
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    servicer = health.HealthServicer()
    serving = health_pb2.HealthCheckResponse.NOT_SERVING if behaviour == UNWELL else 1
    servicer.set("", serving)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    server.start()
    # Looked at now and then: a signal that another thread takes does not wake the main one.
    while not stop.wait(0.1):
        pass
    server.stop(None).wait()
    sys.stderr.write("stopped when asked\n")


if __name__ == "__main__":
    main()
