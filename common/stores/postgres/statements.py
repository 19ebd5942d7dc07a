"""The statements of the job owner; each is for any number of jobs and is one step.

``b`` are the records as they were before: locked in the order of their ids, so that two statements
never wait for each other.
"""

from __future__ import annotations

BEFORE = """
    b AS MATERIALIZED (
        SELECT * FROM jobs WHERE id = ANY($1::text[]) AND state > 0
        AND (finished IS NULL OR finished > $2) ORDER BY id FOR UPDATE
    )
"""

CREATE = """
WITH n AS (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[]
    ) AS n (id, created, kind, request_id, digest, submit_id)
    WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.submit_id = n.submit_id)
), q AS (
    INSERT INTO requests
    SELECT request_id, digest, id, ARRAY[coalesce(submit_id, '')] FROM n
    WHERE request_id IS NOT NULL
    ON CONFLICT (request_id) DO UPDATE SET dependents = CASE
        WHEN excluded.dependents <@ requests.dependents THEN requests.dependents
        ELSE requests.dependents || excluded.dependents END
    WHERE requests.digest = excluded.digest
    RETURNING request_id, job_id
), j AS (
    INSERT INTO jobs (id, kind, state, created, request_id, submit_id)
    SELECT n.id, n.kind, 1, n.created, n.request_id, n.submit_id
    FROM n LEFT JOIN q USING (request_id) WHERE n.request_id IS NULL OR q.job_id = n.id
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT n.id, q.job_id, j.id IS NOT NULL AS made
FROM n LEFT JOIN q USING (request_id) LEFT JOIN j ON j.id = n.id
"""

KINDS = "INSERT INTO kinds SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"

BY_SUBMIT = "SELECT * FROM jobs WHERE submit_id = $1"

BY_REQUEST = "SELECT job_id, digest FROM requests WHERE request_id = $1"

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

TRANSITION = f"""
WITH s AS (
    SELECT * FROM unnest(
        $1::text[], $3::integer[], $4::smallint[], $5::text[], $6::text[], $7::text[]
    ) AS s (id, attempt, target, worker, reason, message)
), {BEFORE}, u AS (
    UPDATE jobs SET
        state = s.target,
        attempt = s.attempt,
        worker = CASE WHEN s.target = 2 THEN s.worker ELSE jobs.worker END,
        started = CASE WHEN s.target = 2 THEN greatest($8, jobs.created) ELSE jobs.started END,
        finished = CASE WHEN s.target > 2 THEN greatest($8, jobs.started, jobs.created) END,
        reason = s.reason,
        message = s.message
    FROM s JOIN b USING (id)
    WHERE jobs.id = s.id AND CASE
        WHEN s.target = 2 AND b.state = 2 THEN s.attempt > b.attempt
        WHEN b.state * 10 + s.target <> ALL($9::integer[]) THEN false
        WHEN s.target = 2 THEN true
        ELSE s.attempt = b.attempt
            AND (s.target <> 5 OR b.state <> 2 OR b.cancel)
            AND (s.target = 4) = (s.reason IS NOT NULL)
        END
    RETURNING jobs.id
)
SELECT b.*, u.id IS NOT NULL AS taken FROM b LEFT JOIN u USING (id)
"""  # noqa: S608  # no value is in it

CANCEL = f"""
WITH {BEFORE}, u AS (
    UPDATE jobs SET
        state = CASE WHEN b.state = 1 THEN 5 ELSE b.state END,
        finished = CASE WHEN b.state = 1 THEN greatest($3, b.created) END,
        cancel = true
    FROM b WHERE jobs.id = b.id AND (b.state = 1 OR b.state = 2 AND NOT b.cancel)
)
SELECT * FROM b
"""  # noqa: S608

FORGET = f"""
WITH {BEFORE}, u AS (
    UPDATE jobs SET state = 0, created = $3, request_id = NULL
    FROM b WHERE jobs.id = b.id AND b.state = 1
    RETURNING jobs.id, b.request_id
), r AS (
    DELETE FROM requests USING u WHERE requests.request_id = u.request_id AND job_id = u.id
)
SELECT b.*, u.id IS NOT NULL AS taken FROM b LEFT JOIN u USING (id)
"""  # noqa: S608

RELY_NO_LONGER = """
UPDATE requests SET dependents = array_remove(dependents, $2)
WHERE request_id = (SELECT request_id FROM jobs WHERE id = $1) AND job_id = $1
RETURNING cardinality(dependents) AS left
"""

WITHDRAWN = """
INSERT INTO jobs (id, kind, state, created, submit_id) VALUES ('~' || $1, '', 0, $2, $1)
ON CONFLICT DO NOTHING RETURNING id
"""

SWEEP = """
WITH over AS (
    SELECT id FROM jobs WHERE finished <= $1 ORDER BY finished LIMIT $2 FOR UPDATE SKIP LOCKED
), d AS (
    DELETE FROM jobs USING over WHERE jobs.id = over.id RETURNING jobs.id, jobs.request_id
)
DELETE FROM requests USING d WHERE requests.request_id = d.request_id AND job_id = d.id
"""

SWEEP_WITHDRAWN = "DELETE FROM jobs WHERE state = 0 AND created < $1"

COUNT = """
SELECT state, count(*) AS number FROM jobs WHERE state > 0
AND (finished IS NULL OR finished > $1) GROUP BY state
"""
