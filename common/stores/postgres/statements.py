"""The statements of the job owner; each is for any number of jobs and is one step.

Rows are locked in one order, so that two statements never wait for each other: first those of
request ids, then those of jobs, each in the order of their keys. Where that order is the one of an
argument, the argument is sorted.
"""

from __future__ import annotations

from common.domain import lifecycle

_STEPS = ", ".join(
    str(10 * source + target)
    for source, target in sorted((s, t) for s, t in lifecycle.ALLOWED if s is not None)
)

NEW = """
n AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::text[]
    ) AS n (id, created, kind, request_id, digest, submit_id)
    WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.submit_id = n.submit_id)
), q AS (
    INSERT INTO requests
    SELECT request_id, digest, id, ARRAY[coalesce(submit_id, '')] FROM n
    WHERE request_id IS NOT NULL ORDER BY request_id
    ON CONFLICT (request_id) DO UPDATE SET dependents = CASE
        WHEN excluded.dependents <@ requests.dependents
            -- Of no use any more, and it would grow with every repeat.
            OR NOT EXISTS (SELECT FROM jobs WHERE id = requests.job_id AND state = 1)
        THEN requests.dependents ELSE requests.dependents || excluded.dependents END
    WHERE requests.digest = excluded.digest
    RETURNING job_id
)
"""
INSERT = """
INSERT INTO jobs (id, kind, state, created, request_id, submit_id)
SELECT id, kind, 1, created, request_id, submit_id FROM n
WHERE request_id IS NULL OR id IN (SELECT job_id FROM q) ORDER BY submit_id
ON CONFLICT DO NOTHING
RETURNING id
"""
CREATE = f"WITH {NEW} {INSERT}"

KINDS = "INSERT INTO kinds SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING"

# What is known of submits, with no request id in its first column, and of request ids, whose job
# may be none.
MET = """
SELECT NULL::bytea AS request, NULL::bytea AS digest, NULL::text AS holder, jobs.*
FROM jobs WHERE submit_id = ANY($1::text[])
UNION ALL
SELECT r.request_id, r.digest, r.job_id, jobs.*
FROM requests r LEFT JOIN jobs ON jobs.id = r.job_id AND jobs.state > 0
    AND (finished IS NULL OR finished > $3)
WHERE r.request_id = ANY($2::bytea[])
"""

FREE = "DELETE FROM requests WHERE request_id = $1 AND job_id = $2"

GET = """
SELECT * FROM jobs WHERE id = ANY($1::text[]) AND state > 0
AND (finished IS NULL OR finished > $2)
"""

PAGE = """
SELECT found.* FROM unnest($1::smallint[]) AS states (state)
CROSS JOIN (SELECT kind FROM kinds WHERE $2 = '' OR kind = $2) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM jobs
    WHERE jobs.state = states.state AND jobs.kind = wanted.kind AND jobs.id < $3
    AND (finished IS NULL OR finished > $5)
    ORDER BY id DESC LIMIT $4
) AS found
ORDER BY id DESC LIMIT $4
"""

# A step, from ``s`` at the time ``$7``.
SET_STEP = """
    state = s.target,
    attempt = s.attempt,
    worker = CASE WHEN s.target = 2 THEN s.worker ELSE jobs.worker END,
    started = CASE WHEN s.target = 2 THEN greatest($7, created) ELSE started END,
    again = s.target = 2 AND state = 2,
    finished = CASE WHEN s.target > 2 THEN greatest($7, started, created) END,
    reason = s.reason,
    message = s.message
"""
# Of a row that another changes meanwhile the newest version is judged.
IS_STEP = f"""CASE
    WHEN s.target = 2 AND state = 2 THEN s.attempt > jobs.attempt
    WHEN state * 10 + s.target NOT IN ({_STEPS}) THEN false
    WHEN s.target = 2 THEN true
    ELSE s.attempt = jobs.attempt
        AND (s.target <> 5 OR state <> 2 OR cancel)
        AND (s.target = 4) = (s.reason IS NOT NULL)
    END"""
TRANSITION = f"""
UPDATE jobs SET {SET_STEP}
FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::text[], $5::text[], $6::text[])
    AS s (id, attempt, target, worker, reason, message)
WHERE jobs.id = s.id AND {IS_STEP}
RETURNING jobs.*
"""  # noqa: S608  # no value is in it

CANCEL = """
UPDATE jobs SET
    state = CASE WHEN state = 1 THEN 5 ELSE state END,
    finished = CASE WHEN state = 1 THEN greatest($2, created) END,
    cancel = true
FROM unnest($1::text[]) AS asked (id)
WHERE jobs.id = asked.id AND (state = 1 OR state = 2 AND NOT cancel)
RETURNING jobs.*
"""

FORGET = """
WITH r AS MATERIALIZED (
    SELECT request_id FROM requests
    WHERE request_id IN (SELECT request_id FROM jobs WHERE id = ANY($1::text[]))
    ORDER BY request_id FOR UPDATE
), u AS (
    UPDATE jobs SET state = 0, started = $2
    FROM unnest($1::text[]) AS asked (id)
    WHERE jobs.id = asked.id AND state = 1 AND (SELECT count(*) FROM r) >= 0
    RETURNING jobs.*
), d AS (
    DELETE FROM requests USING u WHERE requests.request_id = u.request_id AND job_id = u.id
)
SELECT * FROM u
"""

# The request id's row is locked before it is judged who relies on the job.
WITHDRAW = """
WITH r AS MATERIALIZED (
    SELECT request_id, array_remove(dependents, $2) AS rest FROM requests
    WHERE request_id = (SELECT request_id FROM jobs WHERE id = $1) AND job_id = $1 FOR UPDATE
), u AS (
    UPDATE jobs SET state = 0, started = $3
    WHERE id = $1 AND state = 1 AND NOT EXISTS (SELECT FROM r WHERE rest <> '{}')
    RETURNING *
), d AS (
    DELETE FROM requests USING r, u WHERE requests.request_id = r.request_id
), k AS (
    UPDATE requests SET dependents = rest FROM r
    WHERE requests.request_id = r.request_id AND NOT EXISTS (SELECT FROM u)
)
SELECT * FROM u
"""

WITHDRAWN = """
INSERT INTO jobs (id, kind, state, created, started, submit_id)
VALUES ('~' || $1, '', 0, $2, $2, $1)
ON CONFLICT DO NOTHING RETURNING id
"""

SWEEP = """
WITH over AS MATERIALIZED (
    SELECT id FROM jobs WHERE finished > $2 AND finished <= $1
    ORDER BY finished LIMIT $3 FOR UPDATE SKIP LOCKED
), d AS (
    DELETE FROM jobs USING over WHERE jobs.id = over.id
    RETURNING jobs.id, jobs.state, jobs.request_id
), r AS MATERIALIZED (
    SELECT requests.request_id FROM requests JOIN d USING (request_id)
    WHERE job_id = d.id ORDER BY request_id FOR UPDATE OF requests
), f AS (
    DELETE FROM requests USING r WHERE requests.request_id = r.request_id
)
SELECT state, count(*) AS number FROM d GROUP BY state
"""

SWEEP_WITHDRAWN = """
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs WHERE state = 0 AND started < $1 ORDER BY started LIMIT $2
)
"""

COUNT = "SELECT state, count(*) AS number FROM jobs WHERE state > 0 GROUP BY state"
