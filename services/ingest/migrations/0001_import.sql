-- One row per imported file. Times are UTC ms. state: uploading, running, done, failed.
-- rows: of the file, done with; accepted + refused = rows. seen_bytes: of `size`, read so far. busy_ms: time spent on it.
-- reasons, left_out: JSON objects, text -> how many rows.
CREATE SEQUENCE import_number;
CREATE TABLE import (
    id uuid PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    key text UNIQUE,
    name text NOT NULL,
    brand text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'uploading',
    error text NOT NULL DEFAULT '',
    mapping bytea,
    encoding text NOT NULL DEFAULT '',
    size bigint NOT NULL DEFAULT 0,
    seen_bytes bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    facts bigint NOT NULL DEFAULT 0,
    reasons bytea NOT NULL DEFAULT '{}',
    left_out bytea NOT NULL DEFAULT '{}',
    busy_ms bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    started_at bigint,
    ended_at bigint
);
CREATE INDEX import_open ON import (number) WHERE state IN ('running', 'uploading');

-- The file itself, sealed, in pieces; gone when its import has ended.
CREATE TABLE import_part (
    import uuid NOT NULL REFERENCES import ON DELETE CASCADE,
    number int NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (import, number)
);
ALTER TABLE import_part ALTER COLUMN data SET STORAGE EXTERNAL;

-- Refused rows, sealed, many to a block: JSON [[line, reason, text], ...]. first: how many rows of the file stood before.
CREATE TABLE import_refused (
    import uuid NOT NULL REFERENCES import ON DELETE CASCADE,
    first bigint NOT NULL,
    block bytea NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (import, first)
);
CREATE INDEX import_refused_expires ON import_refused (expires_at);
