"""Life cycles: each user submits a job, follows it to its end, reads its result and starts again.

locust -f locustfiles/lifecycle.py
"""

from __future__ import annotations

from taskqueue_load import LifecycleUser

__all__ = ["LifecycleUser"]
