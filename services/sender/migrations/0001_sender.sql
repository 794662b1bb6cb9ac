-- The sender's copy of what it needs of a person: addresses, attributes for templates, consents (msgpack of domain.Contact).
-- stamp grows with every change that may forbid a message; a start that finds another stamp than was checked does not call.
CREATE TABLE person (
    id uuid PRIMARY KEY,
    partition smallint NOT NULL,
    state bytea NOT NULL,
    due_at bigint,
    merged_into uuid,
    stamp bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

-- The ledger. One row an intent for ever; address_key is the second unique key, with the address in place of the profile.
-- state: taken (by a process, not started) -> started -> accepted | failed | in_doubt -> unknown; or skipped | late | held.
-- owner: the incarnation of the process that holds it; its death is known by its advisory lock.
CREATE TABLE attempt (
    id uuid PRIMARY KEY,
    address_key bytea NOT NULL UNIQUE,
    profile uuid NOT NULL,
    channel text NOT NULL,
    message_class text NOT NULL,
    state text NOT NULL,
    attempt smallint NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    repeats smallint NOT NULL DEFAULT 0,
    owner int,
    not_after bigint NOT NULL,
    next_at bigint NOT NULL DEFAULT 0,
    intent bytea NOT NULL,
    code text NOT NULL DEFAULT '',
    provider_id text,
    links bytea,
    received_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE attempt ALTER COLUMN intent SET STORAGE EXTERNAL;
CREATE INDEX attempt_open ON attempt (owner) WHERE state IN ('taken', 'started');
CREATE INDEX attempt_in_doubt ON attempt (started_at) WHERE state = 'in_doubt';
CREATE INDEX attempt_provider ON attempt (provider_id) WHERE provider_id IS NOT NULL;

-- Token buckets that all processes share: whoever locks the row takes for his group.
CREATE TABLE bucket (
    name text PRIMARY KEY,
    nano bigint NOT NULL,
    at_ms bigint NOT NULL
);
