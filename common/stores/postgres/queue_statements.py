"""The statements of the queue owner; each is for any number of entries and is one step.

Rows are locked in the order of their job ids, or not waited for. Where that order is the one of an
argument, the argument is sorted.
"""

from __future__ import annotations

ENQUEUE = """
WITH new AS MATERIALIZED (
    SELECT *, nextval('places') AS place
    FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[])
        AS new (job_id, kind, payload, timeout, correlation_id)
)
INSERT INTO entries (job_id, place, kind, payload, timeout, correlation_id, since)
SELECT job_id, place, kind, payload, timeout, correlation_id, $6 FROM new ORDER BY job_id
ON CONFLICT DO NOTHING RETURNING job_id
"""

KNOWN = "SELECT job_id, out FROM entries WHERE job_id = ANY($1::text[])"

_REMOVE = """
DELETE FROM entries USING unnest($1::text[]) AS gone (job_id)
WHERE entries.job_id = gone.job_id AND NOT out
RETURNING entries.job_id, octet_length(payload) AS size, leased_until IS NOT NULL AS leased
"""
REMOVE = _REMOVE

KEEP_OUT = """
INSERT INTO entries (job_id, place, kind, payload, correlation_id, since, out)
SELECT DISTINCT unnest($1::text[]), 0, '', ''::bytea, '', $2::bigint, true ORDER BY 1
ON CONFLICT (job_id) DO UPDATE SET since = excluded.since WHERE entries.out RETURNING job_id
"""


def lease(but: str, most: str, size: str, until: str, place: str) -> str:
    """Return the parts of a statement that lease what is first in line: ``taken`` is that.

    First what was shown again, then what is in line from a place on, ``but`` for some jobs.
    """
    waits = f"leased_until IS NULL AND NOT out AND {but}"
    return f"""front AS MATERIALIZED (
    SELECT job_id, place, octet_length(payload) AS size FROM entries
    WHERE {waits} AND place < 0
    ORDER BY place LIMIT {most} FOR UPDATE SKIP LOCKED
), line AS MATERIALIZED (
    SELECT job_id, place, octet_length(payload) AS size FROM entries
    WHERE {waits} AND place >= {place}
    ORDER BY place LIMIT greatest(0, {most} - (SELECT count(*) FROM front)) FOR UPDATE SKIP LOCKED
), next AS (
    SELECT job_id, sum(size) OVER up_to AS bytes, row_number() OVER up_to AS number
    FROM (SELECT * FROM front UNION ALL SELECT * FROM line) AS first
    WINDOW up_to AS (ORDER BY place)
), taken AS (
    UPDATE entries SET attempt = attempt + 1, leased_until = {until}
    FROM next WHERE entries.job_id = next.job_id AND (bytes <= {size} OR number = 1)
    RETURNING entries.*
)"""  # noqa: S608  # no value is in it


# What is removed goes first: once something is leased, nothing is waited for.
DEQUEUE = f"""
WITH removed AS ({_REMOVE}), {lease("job_id <> ALL($1::text[])", "$2", "$3", "$4", "$5")}
SELECT job_id, NULL AS place, NULL AS attempt, NULL AS kind, NULL AS payload,
    NULL AS timeout, NULL AS correlation_id, size, leased FROM removed
UNION ALL
SELECT job_id, place, attempt, kind, payload, timeout, correlation_id, 0, true FROM taken
"""  # noqa: S608

EXPIRE = """
WITH over AS MATERIALIZED (
    SELECT job_id FROM entries WHERE leased_until > $2 AND leased_until <= $1
    ORDER BY leased_until, job_id LIMIT $3 FOR UPDATE SKIP LOCKED
), placed AS MATERIALIZED (
    SELECT job_id, nextval('places_in_front') AS place FROM over
)
UPDATE entries SET leased_until = NULL, place = placed.place, since = $1
FROM placed WHERE entries.job_id = placed.job_id
RETURNING entries.job_id, entries.attempt
"""

RENEW = """
UPDATE entries SET leased_until = $4
FROM unnest($1::text[], $2::integer[]) AS held (job_id, attempt)
WHERE entries.job_id = held.job_id AND entries.attempt = held.attempt AND leased_until > $3
RETURNING entries.job_id, entries.attempt
"""

RELEASE = """
WITH placed AS MATERIALIZED (
    SELECT job_id, attempt, nextval('places_in_front') AS place
    FROM unnest($1::text[], $2::integer[]) AS given (job_id, attempt)
)
UPDATE entries SET leased_until = NULL, place = placed.place, since = $3
FROM (SELECT * FROM placed ORDER BY job_id) AS placed
WHERE entries.job_id = placed.job_id AND entries.attempt = placed.attempt
    AND leased_until IS NOT NULL
RETURNING entries.job_id, entries.attempt
"""

SWEEP = """
DELETE FROM entries WHERE job_id IN (
    SELECT job_id FROM entries WHERE out AND since < $1 ORDER BY since LIMIT $2
)
"""

FIRST = """
(SELECT since FROM entries WHERE leased_until IS NULL AND NOT out AND place < 0
    ORDER BY place LIMIT 1)
UNION ALL
(SELECT since FROM entries WHERE leased_until IS NULL AND NOT out AND place >= $1
    ORDER BY place LIMIT 1)
LIMIT 1
"""

COUNT = """
SELECT count(*) FILTER (WHERE leased_until IS NULL) AS waiting, count(leased_until) AS leased,
    coalesce(sum(octet_length(payload)), 0)::bigint AS bytes
FROM entries WHERE NOT out
"""

NOTIFY = "SELECT pg_notify('entries', '')"
