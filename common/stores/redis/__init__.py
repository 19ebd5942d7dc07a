"""State in Redis: every operation is one script, which Redis runs as one step.

Redis writes it to its append-only file before it answers, as its settings say; see
``docs/stores.md``.
"""

from common.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
