"""Statements over jobs, entries and results together, made of those over each.

Rows are locked in the order request ids, jobs that end, entries, jobs that start, results. Only a
late report of a job that is being started again, or forgotten, can meet another one the other way
round: PostgreSQL rolls one of the two back then.
"""

from __future__ import annotations

import re

from common.stores.postgres.queue_statements import lease
from common.stores.postgres.statements import INSERT, IS_STEP, NEW, REPLACED, SET_STEP

_ACCEPT = f"""{NEW}, made AS ({INSERT}), arrived AS MATERIALIZED (
    SELECT *, nextval('places') AS place
    FROM unnest($1::text[], $3::text[], $7::bytea[], $8::bigint[], $9::text[])
        AS arrived (id, kind, payload, timeout, correlation_id)
), entered AS (
    INSERT INTO entries (job_id, place, kind, payload, timeout, correlation_id, since)
    SELECT id, place, kind, payload, timeout, correlation_id, $10 FROM arrived
    WHERE id IN (SELECT id FROM made)
)"""  # noqa: S608  # no value is in it
ACCEPT = f"WITH {_ACCEPT} SELECT id FROM made"  # noqa: S608

_JOB = {
    "id": "text",
    "kind": "text",
    "state": "smallint",
    "created": "bigint",
    "attempt": "integer",
    "started": "bigint",
    "again": "boolean",
    "finished": "bigint",
    "worker": "text",
    "reason": "text",
    "message": "text",
    "cancel": "boolean",
    "replaced": "text",
}
_ENTRY = {
    "job_id": "text",
    "place": "bigint",
    "entry_attempt": "integer",
    "entry_kind": "text",
    "payload": "bytea",
    "timeout": "bigint",
    "correlation_id": "text",
    "size": "integer",
    "leased": "boolean",
}


def _none(columns: dict[str, str]) -> str:
    return ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())


ENDED, REMOVED, LEASED, ACCEPTED = "ended", "removed", "leased", "accepted"
"""What a row of the answer is: a job that ended, an entry that was removed, one leased, or the id
of a new job."""
PARTS = (ENDED, REMOVED, LEASED)
EXCHANGE_PARAMETERS = 14

_EXCHANGE = f"""s AS MATERIALIZED (
    SELECT *, NULL::text AS worker
    FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::text[], $5::text[])
        AS s (id, attempt, target, reason, message)
), stored AS (
    INSERT INTO results AS r SELECT job_id, attempt, output, $7
    FROM unnest($1::text[], $2::integer[], $6::bytea[]) AS new (job_id, attempt, output)
    WHERE output IS NOT NULL ORDER BY job_id
    ON CONFLICT (job_id, attempt) DO UPDATE SET stored = greatest(r.stored, excluded.stored),
        output = CASE WHEN r.stored > $14 THEN r.output ELSE excluded.output END
    WHERE $14::bigint IS NOT NULL
), ended AS (
    UPDATE jobs SET {SET_STEP} FROM s WHERE jobs.id = s.id AND {IS_STEP}
    RETURNING jobs.*, NULL::text AS replaced
), gone AS MATERIALIZED (
    SELECT id FROM ended UNION SELECT unnest($8::text[]) ORDER BY 1
), removed AS (
    DELETE FROM entries USING gone WHERE entries.job_id = gone.id AND NOT out
    RETURNING entries.job_id, octet_length(payload) AS size, leased_until IS NOT NULL AS leased
), {lease("job_id <> ALL($1::text[] || $8::text[])", "$9", "$10", "$11", "$12")}, begun AS (
    UPDATE jobs SET state = 2, attempt = taken.attempt, worker = $13,
        started = greatest($7, created), again = state = 2
    FROM taken WHERE jobs.id = taken.job_id
        AND (state = 1 OR state = 2 AND taken.attempt > jobs.attempt)
    RETURNING jobs.*, {REPLACED}
)"""  # noqa: S608
_EXCHANGED = f"""
SELECT '{ENDED}' AS part, {", ".join(_JOB)}, {_none(_ENTRY)} FROM ended
UNION ALL
SELECT '{REMOVED}', {_none(_JOB)}, job_id, {_none(dict(list(_ENTRY.items())[1:-2]))}, size, leased
FROM removed
UNION ALL
SELECT '{LEASED}', {", ".join(f"begun.{name}" for name in _JOB)}, taken.job_id, place,
    taken.attempt, taken.kind, payload, timeout, correlation_id, 0, true
FROM taken LEFT JOIN begun ON begun.id = taken.job_id
"""  # noqa: S608
EXCHANGE = f"WITH {_EXCHANGE} {_EXCHANGED}"


def _behind(parameters: int, statement: str) -> str:
    """Return a statement whose parameters come behind so many others."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + parameters}", statement)


# Both see what was there before either: what is accepted here is leased by a later statement. The
# accept comes first, for it may wait for another one of the same request id, and nothing is waited
# for once something is leased.
EXCHANGE_AND_ACCEPT = f"""
WITH {_behind(EXCHANGE_PARAMETERS, _ACCEPT)}, {_EXCHANGE}
SELECT '{ACCEPTED}' AS part, id, {_none(dict(list(_JOB.items())[1:]))}, {_none(_ENTRY)} FROM made
UNION ALL {_EXCHANGED}
"""  # noqa: S608
