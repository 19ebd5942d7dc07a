-- One output for each execution. It is hardly ever changed.

CREATE TABLE results (
    job_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    output bytea NOT NULL,
    stored bigint NOT NULL,
    PRIMARY KEY (job_id, attempt)
);

ALTER TABLE results SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);
