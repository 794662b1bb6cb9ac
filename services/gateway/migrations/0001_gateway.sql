-- Keys of the management API. hash: sha256 of the key (256 random bits), in hex. brands empty: all. Times are UTC ms of the real clock.
CREATE TABLE api_key (
    id text PRIMARY KEY,
    hash text NOT NULL UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    brands text[] NOT NULL DEFAULT '{}',
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

-- The documents as they are being written. revision grows with every change; published_version: the one in force, if any.
CREATE TABLE document (
    kind text NOT NULL,
    key text NOT NULL,
    brand text,
    body jsonb NOT NULL,
    revision int NOT NULL,
    updated_at bigint NOT NULL,
    published_version int,
    PRIMARY KEY (kind, key)
);

-- What was published, for ever: people stand in old versions. refs: "kind:key" of what it mentions.
CREATE TABLE document_version (
    kind text NOT NULL,
    key text NOT NULL,
    version int NOT NULL,
    brand text,
    body jsonb NOT NULL,
    refs text[] NOT NULL,
    published_at bigint NOT NULL,
    published_by text NOT NULL,
    PRIMARY KEY (kind, key, version)
);

-- Who did what, and when (real clock).
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    key_id text NOT NULL,
    action text NOT NULL,
    what text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);

-- Answers to POSTs that came with an Idempotency-Key, kept for a day. name: sha256 of API key, route and Idempotency-Key.
-- body: sealed, since an answer may hold a new key.
CREATE TABLE idempotency (
    name text PRIMARY KEY,
    request text NOT NULL,
    status int NOT NULL,
    body bytea NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX idempotency_at ON idempotency (at);
