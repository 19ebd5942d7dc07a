"""How an execution's end is put as an outcome."""

from __future__ import annotations

from common.domain.job import MAX_OUTPUT_BYTES, Failure, JobState, Outcome
from common.handlers.registry import JobFailed

MAX_MESSAGE = 2000

CANCELED = Outcome(JobState.CANCELED)


def done(output: object) -> Outcome:
    """Return the outcome of a handler that returned ``output``."""
    if not isinstance(output, bytes):
        kind = type(output).__name__
        return failed("HANDLER_ERROR", f"TypeError: the handler returned {kind}, not bytes")
    if len(output) > MAX_OUTPUT_BYTES:
        return failed(
            "OUTPUT_TOO_LARGE", f"{len(output)} bytes, the limit is {MAX_OUTPUT_BYTES} bytes"
        )
    return Outcome(JobState.DONE, output)


def failed(reason: str, message: str) -> Outcome:
    """Return a failure. The message is cut to ``MAX_MESSAGE`` characters and made valid Unicode."""
    text = message[:MAX_MESSAGE].encode("utf-8", "replace").decode()
    return Outcome(JobState.FAILED, failure=Failure(reason, text))


def failed_by(error: BaseException) -> Outcome:
    """Return the failure that an exception out of a handler means."""
    if isinstance(error, JobFailed):
        return failed(error.reason, error.message)
    return failed("HANDLER_ERROR", f"{type(error).__name__}: {_text_of(error)}")


def unreadable(error: ValueError) -> Outcome:
    """Return the failure of a job whose handler cannot read the payload."""
    return failed("UNREADABLE_PAYLOAD", str(error))


def timed_out(seconds: float) -> Outcome:
    """Return the failure of an execution that was stopped after its time."""
    return failed("EXECUTION_TIMEOUT", f"stopped after {seconds:g} s, the job's execution timeout")


def process_died() -> Outcome:
    """Return the failure of an execution whose process ended before it did."""
    return failed("WORKER_PROCESS_DIED", "the process that ran the job ended before the job did")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # str() of a foreign exception is foreign code
        return f"(no message: {type(problem).__name__})"
