"""The configuration of Prometheus, worked out from the topologies of the designs.

Containers are found by name: every process has the alias ``<process>.taskqueue-<design>`` on one
network, and a name with several addresses, as that of scaled workers, gives as many targets. Local
processes are found by the files of :mod:`testbed.stack.observability.targets`.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.process_spec import METRICS_PATH
from testbed.stack import designs

# Prometheus reads a page every so many seconds.
INTERVAL = 5
# Names are asked for less often: outside of containers they are questions to a stranger's server.
REFRESH = 10
LOAD_NAME, LOAD_PORT = "locust.taskqueue-load", 51070

_HEAD = f"""\
# Written by `make generate` from the topologies of the designs; `make verify` compares.
#
# Containers are found by their names on the network `taskqueue`, a process of this machine by the
# files that `testbed up` writes: each Prometheus sees one of the two, and misses nothing.

global:
  # A page costs the process that makes it 5 to 10 ms of CPU, so a shorter interval would be felt by
  # what is measured. Rates need two pages, so 20 s is the shortest window of a panel.
  scrape_interval: {INTERVAL}s
  scrape_timeout: {INTERVAL - 1}s
  evaluation_interval: {INTERVAL}s

# Retention is a flag, not a setting: 15 days or 2 GB, whichever is reached first.

rule_files:
  - rules/*.yml

scrape_configs:
  - job_name: taskqueue
    file_sd_configs:
      - files: [targets/stack-*.json]
        refresh_interval: {INTERVAL}s
    dns_sd_configs:
"""
_ENTRY = """\
      - names: [{names}]
        type: A
        port: {port}
        refresh_interval: {interval}s
"""
_RELABEL = r"""    relabel_configs:
      - source_labels: [__meta_dns_name]
        regex: (.+)\.taskqueue-(.+)
        target_label: process
        replacement: $1
      - source_labels: [__meta_dns_name]
        regex: (.+)\.taskqueue-(.+)
        target_label: design
        replacement: $2
      # node-3 is a node, a worker is a worker.
      - source_labels: [process]
        regex: (.+?)(-\d+)?
        target_label: role
        replacement: $1
"""
_PATH = """\
      - source_labels: [__meta_dns_name]
        regex: {name}
        target_label: __metrics_path__
        replacement: {path}
"""
_LOAD = """
  - job_name: load
    file_sd_configs:
      - files: [targets/load-*.json]
        refresh_interval: {interval}s
    dns_sd_configs:
{entry}    relabel_configs:
      - source_labels: [__meta_dns_name]
        regex: (.+)\\.taskqueue-load
        target_label: process
        replacement: $1
      - target_label: role
        replacement: load
"""


def alias(design: str, process: str) -> str:
    """Return the name of a process on the network of the containers."""
    return f"{process}.taskqueue-{design}"


def configuration() -> str:
    """Return ``prometheus.yml``."""
    entries = [
        _entry(alias(name, process.name), process.metrics_port)
        for name in designs.names()
        for process in designs.load(name).processes
        if process.metrics_port
    ]
    load = _LOAD.format(interval=INTERVAL, entry=_entry(LOAD_NAME, LOAD_PORT))
    return _HEAD + "".join(entries) + _RELABEL + "".join(_paths()) + load


def _paths() -> Iterator[str]:
    """Yield the rule for each process whose metrics are not at the usual path."""
    for name in designs.names():
        for process in designs.load(name).processes:
            if process.metrics_port and process.metrics_path != METRICS_PATH:
                yield _PATH.format(name=alias(name, process.name), path=process.metrics_path)


def _entry(name: str, port: int) -> str:
    return _ENTRY.format(names=name, port=port, interval=REFRESH)
