"""Judges a history: whether the system kept what its contract promises.

Each promise is a rule, one module of :mod:`testbed.checker.rules`. ``docs/histories.md`` says what
each concludes and why an innocent system is never accused.
"""

from testbed.checker.judge import check
from testbed.checker.verdict import Verdict, Violation

__all__ = ["Verdict", "Violation", "check"]
