-- "kind:value" -> the profile that it was given to. It may point at a tombstone: readers follow merged_into.
CREATE TABLE identifier (
    key text PRIMARY KEY,
    profile uuid NOT NULL
);
CREATE INDEX identifier_profile ON identifier (profile);

-- state: msgpack of domain.Profile. merged_into: this one is a tombstone.
CREATE TABLE profile (
    id uuid PRIMARY KEY,
    first_at bigint NOT NULL,
    state bytea NOT NULL,
    merged_into uuid
) WITH (fillfactor = 80);
CREATE INDEX profile_merged_into ON profile (merged_into) WHERE merged_into IS NOT NULL;

-- Ids of the facts of today and yesterday: a fact that comes twice within a day counts once. One partition a day.
CREATE TABLE seen (
    day int NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY LIST (day);
