-- Numbers of files: never given twice, not even after a rollback, so a file is never written over.
CREATE SEQUENCE file_number;

-- The lake is exactly the rows with removed_at NULL, written with the watermark that covers them. event and day are NULL in a mixed
-- file; event is NULL in the files of memberships and decisions. level: how often its rows were merged. first_at, last_at: of
-- occurred_at, ms. topics .. last_offsets: what it holds of each partition. removed_at: replaced by these files, ms.
CREATE TABLE manifest (
    file text PRIMARY KEY,
    dataset text NOT NULL,
    event text,
    day date,
    level int NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    topics text[] NOT NULL,
    partitions int[] NOT NULL,
    first_offsets bigint[] NOT NULL,
    last_offsets bigint[] NOT NULL,
    added_at bigint NOT NULL,
    replaced_by text[],
    removed_at bigint
);
CREATE INDEX manifest_current ON manifest (dataset, event, day, level) WHERE removed_at IS NULL;
CREATE INDEX manifest_removed ON manifest (removed_at) WHERE removed_at IS NOT NULL;

-- Which properties, attributes and context fields have columns, learnt at first sight. The lowest id of (event, scope, path) is the
-- registered kind; asides counts the values of the others.
CREATE TABLE property (
    id bigint GENERATED ALWAYS AS IDENTITY,
    event text NOT NULL,
    scope text NOT NULL,
    path text NOT NULL,
    kind text NOT NULL,
    asides bigint NOT NULL DEFAULT 0,
    seen_at bigint NOT NULL,
    PRIMARY KEY (event, scope, path, kind)
);
