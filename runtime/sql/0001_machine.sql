-- One row for each partition this service reads (topic 'timers' for its timer lane): the truth about how far it has come.
-- next_offset -1: nothing read yet. fingerprint: crc of the last record's value, finds a topic that was deleted and made again.
-- seqs: msgpack map src -> [epoch, offset, index], the highest seen of each source.
CREATE TABLE watermark (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL DEFAULT -1,
    epoch int NOT NULL DEFAULT 0,
    fingerprint bigint NOT NULL DEFAULT 0,
    seqs bytea NOT NULL DEFAULT '\x80',
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- What was decided and is not in Kafka yet; a row packs many records of one destination partition.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    count int NOT NULL,
    records bytea NOT NULL,
    added_at bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE outbox ALTER COLUMN records SET STORAGE EXTERNAL;

-- One row a batch: what was read when, in commit order of each partition. Replays and the order check read it.
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY,
    now bigint NOT NULL,
    revision bigint NOT NULL,
    topics text[] NOT NULL,
    partitions int[] NOT NULL,
    from_offsets bigint[] NOT NULL,
    to_offsets bigint[] NOT NULL
);
CREATE INDEX journal_now ON journal USING brin (now);

-- What could not be understood: the record encrypted, with its reason; listed, mended and replayed from here.
CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    record bytea NOT NULL,
    buried_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    replayed_at bigint
);
CREATE INDEX dead_letter_expires ON dead_letter (expires_at);
