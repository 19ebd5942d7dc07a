-- Entries: what waits, and what is leased.

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
    leased_until bigint
);

CREATE INDEX entries_waiting ON entries (place) WHERE leased_until IS NULL;
CREATE INDEX entries_leased ON entries (leased_until) WHERE leased_until IS NOT NULL;

CREATE SEQUENCE places AS bigint;
CREATE SEQUENCE places_in_front AS bigint INCREMENT -1 START -1 MINVALUE -9223372036854775807 MAXVALUE -1;

CREATE TABLE kept_out (
    job_id text COLLATE "C" PRIMARY KEY,
    since bigint NOT NULL
);

-- Every entry dies within seconds: what is dead goes at once.
ALTER TABLE entries SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0
);
