"""Samples what the databases of a stack do, once a second, while a drive goes on.

What a database says of itself is written down as pages in the text format of Prometheus, so that it
is read like the metrics of our own processes: ``servers.jsonl.gz``, of
:mod:`testbed.record.metrics`.
"""

from testbed.drive.servers.watch import SERVERS, ServerWatch

__all__ = ["SERVERS", "ServerWatch"]
