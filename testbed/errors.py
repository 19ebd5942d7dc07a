"""Errors that the command line shows as a message, without a traceback."""

from __future__ import annotations

import errno

# Exit code of a command that could not do its work; 1 is a verdict.
ERROR_EXIT = 2
# Of one that a signal ended before its time, after it had cleaned up.
INTERRUPT_EXIT = 130

_NOT_ALLOWED = "results, state and logs are written below the project, or below TESTBED_HOME"
_IN_THE_WAY = "a file is where a folder should be, or a folder where a file should be"
_HINTS = {
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: _NOT_ALLOWED,
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
}


class TestbedError(Exception):
    """Something that the user can act on: what is wrong, and a hint at what to do."""

    # Not a test class, whatever its name looks like to pytest.
    __test__ = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def in_one_line(self) -> str:
        """The message with the hint behind it."""
        return f"{self} ({self.hint})" if self.hint else str(self)


def of_system(error: OSError) -> TestbedError:
    """Put an error of the operating system into words: what it is, of which file, what helps."""
    where = "".join(f": {each}" for each in (error.filename, error.filename2) if each is not None)
    return TestbedError(f"{error.strerror or error}{where}", _HINTS.get(error.errno or 0, ""))


class StateError(TestbedError):
    """A state file cannot be read; the message names it."""
