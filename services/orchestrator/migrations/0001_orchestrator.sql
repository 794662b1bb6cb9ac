-- state: msgpack of domain.state.Person. due_at: his earliest timer. wait_*: one of the facts that a run of his waits for: it goes
-- on when the segmenter's mark of that partition has passed the offset. merged_into: this row is a tombstone.
CREATE TABLE person (
    id uuid PRIMARY KEY,
    partition smallint NOT NULL,
    state bytea NOT NULL,
    due_at bigint,
    merged_into uuid,
    wait_topic text,
    wait_partition int,
    wait_offset bigint
) WITH (fillfactor = 80);
CREATE INDEX person_due ON person (partition, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX person_wait ON person (wait_topic, wait_partition, wait_offset) WHERE wait_topic IS NOT NULL;

-- How far the segmenter has come in the topics that we read too: it has handled everything below next_offset.
CREATE TABLE mark (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
