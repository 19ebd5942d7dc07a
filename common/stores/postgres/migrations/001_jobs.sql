-- Records, and the submits and request ids that lead to them. Times are in microseconds. A row in
-- state 0 is no job: it says for a while what came of a submit, so that a message of it that comes
-- late makes none. The job that it made is forgotten; or `led_to` is the job of its request id, or
-- empty if it was withdrawn before it came.

CREATE TABLE jobs (
    id text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL,
    state smallint NOT NULL,
    created bigint NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    started bigint,
    -- Whether the last start replaced an execution.
    again boolean NOT NULL DEFAULT false,
    finished bigint,
    worker text NOT NULL DEFAULT '',
    reason text,
    message text,
    cancel boolean NOT NULL DEFAULT false,
    request_id bytea,
    submit_id text COLLATE "C",
    led_to text COLLATE "C"
);

-- For lists, of which each is in one place of this index for each state and kind. It has its order of
-- ids to itself: by that of the primary key a planner who takes states to be mixed well would go
-- through all jobs of other states too. Both orders are that of bytes.
CREATE INDEX jobs_by_state ON jobs (state, kind, id text_pattern_ops);
CREATE UNIQUE INDEX jobs_by_submit ON jobs (submit_id) WHERE submit_id IS NOT NULL;
CREATE INDEX jobs_withdrawn ON jobs (created) WHERE state = 0;

CREATE TABLE kinds (kind text PRIMARY KEY);

-- In bytes, for a text of PostgreSQL cannot hold all that a request id may.
CREATE TABLE requests (
    request_id bytea PRIMARY KEY,
    digest bytea NOT NULL,
    job_id text COLLATE "C" NOT NULL,
    dependents text[] NOT NULL
);

-- Each job is written three times: its versions find room in the page where the first is, and dead
-- ones go before they are a hundredth of the table.
ALTER TABLE jobs SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
