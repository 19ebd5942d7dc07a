"""State in PostgreSQL: every operation is one statement, whatever number of jobs it is for."""

from common.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
