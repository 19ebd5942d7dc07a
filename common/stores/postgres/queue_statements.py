"""The statements of the queue owner; each is for any number of entries and is one step."""

from __future__ import annotations

LOWEST = -(1 << 62)
"""A place before all others."""

ENQUEUE = """
INSERT INTO entries (job_id, place, kind, payload, timeout, correlation_id, since)
SELECT job_id, nextval('places'), kind, payload, timeout, correlation_id, $6
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[])
WITH ORDINALITY AS new (job_id, kind, payload, timeout, correlation_id, number)
ORDER BY number
ON CONFLICT DO NOTHING RETURNING job_id
"""

KNOWN = "SELECT job_id, out FROM entries WHERE job_id = ANY($1::text[])"

REMOVE = """
DELETE FROM entries WHERE job_id = ANY($1::text[]) AND NOT out
RETURNING job_id, octet_length(payload) AS size
"""

KEEP_OUT = """
INSERT INTO entries (job_id, place, kind, payload, correlation_id, since, out)
SELECT unnest($1::text[]), 0, '', '', '', $2, true
ON CONFLICT (job_id) DO UPDATE SET since = excluded.since WHERE entries.out RETURNING job_id
"""

DEQUEUE = """
WITH removed AS (
    DELETE FROM entries WHERE job_id = ANY($1::text[]) AND NOT out
    RETURNING octet_length(payload) AS size
), line AS (
    SELECT job_id, place, octet_length(payload) AS size FROM entries
    WHERE leased_until IS NULL AND NOT out AND place >= $5 AND job_id <> ALL($1::text[])
    ORDER BY place LIMIT $2 FOR UPDATE SKIP LOCKED
), next AS (
    SELECT job_id, sum(size) OVER (ORDER BY place) AS bytes,
        row_number() OVER (ORDER BY place) AS number FROM line
), taken AS (
    UPDATE entries SET attempt = attempt + 1, leased_until = $4
    FROM next WHERE entries.job_id = next.job_id AND (bytes <= $3 OR number = 1)
    RETURNING entries.*
)
SELECT job_id, place, attempt, kind, payload, timeout, correlation_id, 0 AS size FROM taken
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, size FROM removed
"""

EXPIRE = """
WITH over AS (
    SELECT job_id FROM entries WHERE leased_until <= $1
    ORDER BY leased_until LIMIT 100 FOR UPDATE SKIP LOCKED
), placed AS MATERIALIZED (
    SELECT job_id, nextval('places_in_front') AS place FROM over
)
UPDATE entries SET leased_until = NULL, place = placed.place, since = $1
FROM placed WHERE entries.job_id = placed.job_id
RETURNING entries.job_id, entries.attempt
"""

NEXT_END = "SELECT min(leased_until) AS next_end FROM entries WHERE leased_until IS NOT NULL"

RENEW = """
UPDATE entries SET leased_until = $4
FROM unnest($1::text[], $2::integer[]) AS held (job_id, attempt)
WHERE entries.job_id = held.job_id AND entries.attempt = held.attempt AND leased_until > $3
RETURNING entries.job_id, entries.attempt
"""

RELEASE = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::integer[])
    WITH ORDINALITY AS given (job_id, attempt, number) ORDER BY number DESC
), placed AS MATERIALIZED (
    SELECT job_id, attempt, nextval('places_in_front') AS place FROM given
)
UPDATE entries SET leased_until = NULL, place = placed.place, since = $3
FROM placed WHERE entries.job_id = placed.job_id AND entries.attempt = placed.attempt
    AND leased_until IS NOT NULL
RETURNING entries.job_id, entries.attempt
"""

SWEEP = "DELETE FROM entries WHERE out AND since < $1"

MEASURE = """
SELECT count(*) FILTER (WHERE leased_until IS NULL) AS depth,
    count(leased_until) AS leased,
    coalesce(sum(octet_length(payload)), 0) AS bytes,
    (SELECT since FROM entries WHERE leased_until IS NULL AND NOT out
        ORDER BY place LIMIT 1) AS since
FROM entries WHERE NOT out
"""
