"""Submissions only: each user submits one job after the other.

locust -f locustfiles/submit.py
"""

from __future__ import annotations

from taskqueue_load import SubmitUser

__all__ = ["SubmitUser"]
