"""Errors that the command line shows as a message, without a traceback."""

from __future__ import annotations


class TestbedError(Exception):
    """Something that the user can act on: what is wrong, and a hint at what to do."""

    # Not a test class, whatever its name looks like to pytest.
    __test__ = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class StateError(TestbedError):
    """A state file cannot be read; the message names it."""
