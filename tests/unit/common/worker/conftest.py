"""Fixtures of the tests of a worker whose coordinator and executor are fakes."""

from tests.support.working import coordinator, executor, working

__all__ = ["coordinator", "executor", "working"]
