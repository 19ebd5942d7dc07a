"""Judges a history: whether the system kept what its contract promises.

Each promise is a rule, one module of :mod:`testbed.check.rules`. ``docs/histories.md`` says what
each concludes and why an innocent system is never accused.
"""

from testbed.check.judge import check
from testbed.check.verdict import Verdict, Violation

__all__ = ["Verdict", "Violation", "check"]
