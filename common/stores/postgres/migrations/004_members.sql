-- The processes that share the database, and what each has changed in the numbers that gauges and
-- limits need; the row without a name is what was counted, less what all had changed by then. After
-- a crash of the server it is empty, and all is counted anew: so it costs no log.

CREATE UNLOGGED TABLE members (
    name text PRIMARY KEY,
    seen bigint NOT NULL,
    waits boolean NOT NULL,
    numbers bigint[] NOT NULL
);

ALTER TABLE members SET (
    fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100
);
