"""Mixed traffic: users submit jobs, ask for them, cancel some and list them, as --mix weighs.

locust -f locustfiles/mixed.py
"""

from __future__ import annotations

from taskqueue_load import MixedUser

__all__ = ["MixedUser"]
