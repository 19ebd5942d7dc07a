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
    ON CONFLICT (request_id) DO NOTHING
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

# What is known of submits, and of request ids, each with its job if there is one. A submit that is
# new relies on the job of its request id from now on, if that is another's: it is noted, and while
# the job waits it is one of those that keep it from being withdrawn. Both happen or neither does.
# Those that rely on their job since now are in `relied`.
MET = """
WITH r AS MATERIALIZED (
    SELECT r.request_id AS request, r.digest, r.job_id AS holder, jobs.*
    FROM requests r LEFT JOIN jobs ON jobs.id = r.job_id AND jobs.state > 0
        AND (finished IS NULL OR finished > $5)
    WHERE r.request_id = ANY($2::bytea[])
), n AS MATERIALIZED (
    SELECT n.submit, r.request, r.holder, r.state
    FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS n (submit, request, digest)
    JOIN r ON r.request = n.request AND r.digest = n.digest AND r.id IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM jobs WHERE submit_id = n.submit)
), k AS MATERIALIZED (
    -- Not those of a job that was withdrawn while this waited for its row.
    SELECT n.submit, n.request FROM n JOIN requests ON request_id = n.request
    WHERE n.state = 1 AND job_id = n.holder ORDER BY n.request FOR UPDATE OF requests
), p AS (
    INSERT INTO jobs (id, kind, state, created, submit_id, led_to)
    SELECT '~' || submit, '', 0, $4, submit, holder FROM n
    WHERE submit IS NOT NULL AND (state > 1 OR request IN (SELECT request FROM k))
    ORDER BY submit
    ON CONFLICT DO NOTHING RETURNING submit_id
), d AS (
    UPDATE requests SET dependents = dependents || coalesce(k.submit, '') FROM k
    WHERE request_id = k.request AND NOT coalesce(k.submit, '') = ANY(dependents)
        AND (k.submit IS NULL OR k.submit IN (SELECT submit_id FROM p))
)
SELECT s.submit_id AS submit, s.created AS noted, NULL::text[] AS relied,
    NULL::bytea AS request, NULL::bytea AS digest, coalesce(s.led_to, s.id) AS holder, j.*
FROM jobs s LEFT JOIN jobs j ON j.id = coalesce(s.led_to, s.id) AND j.state > 0
    AND (j.finished IS NULL OR j.finished > $5)
WHERE s.submit_id = ANY($1::text[])
UNION ALL
SELECT NULL, NULL, ARRAY(SELECT submit_id FROM p), r.* FROM r
"""

# Submits that are remembered no longer.
FORGET_SUBMITS = """
WITH d AS (
    DELETE FROM jobs WHERE submit_id = ANY($1::text[]) AND state = 0 AND created < $2
)
UPDATE jobs SET submit_id = NULL WHERE submit_id = ANY($1::text[]) AND state > 0 AND created < $2
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
    WHERE jobs.state = states.state AND jobs.kind = wanted.kind AND jobs.id ~<~ $3
    AND (finished IS NULL OR finished > $5)
    ORDER BY id USING ~>~ LIMIT $4
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
    reason = CASE WHEN s.target > 2 THEN s.reason END,
    message = CASE WHEN s.target > 2 THEN s.message END
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
# What an execution was that another replaced.
REPLACED = """CASE WHEN again THEN (
    SELECT to_json(old)::text FROM (
        SELECT attempt, started, worker FROM jobs AS replaced WHERE replaced.id = jobs.id
    ) AS old
) END AS replaced"""

TRANSITION = f"""
UPDATE jobs SET {SET_STEP}
FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::text[], $5::text[], $6::text[])
    AS s (id, attempt, target, worker, reason, message)
WHERE jobs.id = s.id AND {IS_STEP}
RETURNING jobs.*, {REPLACED}
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
    UPDATE jobs SET state = 0
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
    UPDATE jobs SET state = 0
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
INSERT INTO jobs (id, kind, state, created, submit_id, led_to)
VALUES ('~' || $1, '', 0, $2, $1, '')
ON CONFLICT DO NOTHING RETURNING id
"""

# Of a submit whose job is forgotten.
WITHDRAW_SUBMIT = "UPDATE jobs SET created = $2, led_to = '' WHERE submit_id = $1 AND state = 0"

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
    SELECT id FROM jobs WHERE state = 0 AND created < $1 ORDER BY created LIMIT $2
)
"""

COUNT = "SELECT state, count(*) AS number FROM jobs WHERE state > 0 GROUP BY state"
