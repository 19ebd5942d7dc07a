-- Entries: what waits, and what is leased. One that is out is none: it keeps the place of a job that
-- is refused from then on.

CREATE TABLE entries (
    job_id text COLLATE "C" PRIMARY KEY,
    -- The place in line, of what was shown again below 0.
    place bigint NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    timeout bigint,
    correlation_id text NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    since bigint NOT NULL,
    leased_until bigint,
    out boolean NOT NULL DEFAULT false
);

CREATE INDEX entries_waiting ON entries (place) WHERE leased_until IS NULL AND NOT out;
CREATE INDEX entries_leased ON entries (leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX entries_out ON entries (since) WHERE out;

CREATE SEQUENCE places AS bigint;
CREATE SEQUENCE places_in_front AS bigint INCREMENT -1;

-- Every entry dies within seconds: what is dead goes at once, however large the table has been.
ALTER TABLE entries SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);
