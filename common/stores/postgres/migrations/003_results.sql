-- One output for each execution.

CREATE TABLE results (
    job_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    output bytea NOT NULL,
    stored bigint NOT NULL,
    PRIMARY KEY (job_id, attempt)
);
