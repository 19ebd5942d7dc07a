"""Mixed traffic for runs that are checked: repeated request ids, reads of everybody's jobs.

locust -f locustfiles/checked.py --history results/my-history
testbed check results/my-history
"""

from __future__ import annotations

from taskqueue_load import CheckedUser

__all__ = ["CheckedUser"]
