"""What the locustfiles share: users of the task queue's public contract.

Importing the package declares its options and listens to Locust's events, as Locust's own plugins
do. A locustfile of one's own subclasses :class:`TaskQueueUser`.
"""

from __future__ import annotations

from taskqueue_load.checked import CheckedUser
from taskqueue_load.hooks import listen
from taskqueue_load.users import LifecycleUser, MixedUser, SubmitUser, TaskQueueUser

listen()

__all__ = ["CheckedUser", "LifecycleUser", "MixedUser", "SubmitUser", "TaskQueueUser"]
