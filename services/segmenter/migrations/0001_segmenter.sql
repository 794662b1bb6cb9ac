-- state: msgpack of domain.state.State; due_at: when time alone may next flip a segment.
CREATE TABLE person (
    id uuid PRIMARY KEY,
    partition smallint NOT NULL,
    state bytea NOT NULL,
    due_at bigint,
    merged_into uuid
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX person_due ON person (partition, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX person_walk ON person (partition, id);

-- How far the people of a partition have been brought under the plan of a revision.
CREATE TABLE sweep (
    partition smallint PRIMARY KEY,
    revision bigint NOT NULL,
    last_id uuid,
    done boolean NOT NULL
);
