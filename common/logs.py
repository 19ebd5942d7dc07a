"""Structured logs: one JSON object a line on standard error."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter

from common import context


def configure(process: str, level: str) -> None:
    """Send all logs to standard error, marked with the process and the call that they belong to."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"process": process},
            timestamp="time",
        )
    )
    handler.addFilter(_add_correlation)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The event loop's own debug lines say nothing about a job.
    logging.getLogger("asyncio").setLevel(logging.INFO)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_client_s_doing)


_CAUSED_BY_CLIENTS = (
    "Invalid encoding on",
    "ExecuteBatchError raised in core",
    # A path that is no UTF-8. From a servicer it would be a defect, and that is logged by us.
    "Unexpected [UnicodeDecodeError] raised by servicer method",
)


def _is_no_client_s_doing(record: logging.LogRecord) -> bool:
    """Whether to keep a line of gRPC: any client can cause these, as often as it likes."""
    text = str(record.msg)
    return not text.startswith(_CAUSED_BY_CLIENTS)


def _add_correlation(record: logging.LogRecord) -> bool:
    if not hasattr(record, "correlation_id") and (correlation := context.correlation_id()):
        record.correlation_id = correlation
    return True
