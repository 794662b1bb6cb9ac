CREATE TABLE person (
    id uuid PRIMARY KEY, partition smallint NOT NULL, state bytea NOT NULL, due_at bigint, merged_into uuid, erased_at bigint
);
CREATE INDEX person_due ON person (partition, due_at) WHERE due_at IS NOT NULL;
CREATE TABLE fired (id uuid, due_at bigint, now bigint, PRIMARY KEY (id, due_at));
