"""The history of one process: every call of its users, written before it is made and as it ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from taskqueue_load.outcome import CallError
from taskqueue_load.recorder import OnBroken, ignored


class CallHistory:
    """Writes the history of this process into a folder, a file of its own (docs/histories.md).

    ``design`` is empty if it is not known which design is called. Raises ``OSError`` if the file
    cannot be written or is there already, and ``ValueError`` where the testbed that has the format
    is not installed, as in the container of the load generator. ``on_broken`` gets the error if a
    later line cannot be written, as on a full disk; then nothing more is.
    """

    def __init__(self, folder: Path, design: str, on_broken: OnBroken = ignored) -> None:
        try:
            from testbed.record.history import messages, model, writer  # noqa: PLC0415  # only who records needs it
        except ImportError as error:
            raise ValueError(f"--history: the testbed is not installed here: {error}") from error
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"history-{socket.gethostname()}-{os.getpid()}.jsonl"
        self._messages: Any = messages
        # Whatever design of this project is called, the domain code that all share makes its ids.
        ids = model.IDS_BY_HOME if design else ""
        self._writer: Any = writer.HistoryWriter(path, design, ids)
        self._on_broken = on_broken
        self._broken = False

    def begins(
        self, client: str, endpoint: str, call: str, request: Message, scan: str, page: int
    ) -> int:
        """Write that a call is about to be made; return its number.

        A page of a listing has the name of its ``scan`` and its number in it.
        """
        asked = self._messages.asked_of(request, scan, page)
        with self._giving_up():
            return int(self._writer.invoke(client, endpoint, call, asked))
        return 0

    def answered(self, number: int, reply: Message) -> None:
        """Write what a call was answered."""
        with self._giving_up():
            self._writer.ok(number, self._messages.answer_of(reply))

    def failed(self, number: int, error: CallError) -> None:
        """Write that a call got no answer; without this it stays open, as one that was cut off."""
        with self._giving_up():
            self._writer.failed(number, error.code, error.reason, error.definite)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Write nothing more once a line could not be written, whose end is missing."""
        try:
            yield
        except OSError as error:
            if not self._broken:
                self._broken = True
                self._writer.close()
                self._on_broken(error)
