-- Whose facts are by their homes since somebody was parted (runtime/parted.py): one that is heard late is not counted to another.
CREATE TABLE parted (
    part uuid PRIMARY KEY,
    owner uuid NOT NULL,
    stays uuid NOT NULL,
    told uuid[] NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX parted_owner ON parted (owner);
-- Who is to be counted anew from the lake after an unmerge. ids: with which what he did until then was told; topics, partitions, offsets:
-- how far this service had come in each place: what stands below is read, what comes from there on is counted apart as it is heard.
CREATE TABLE rebuild (
    person uuid PRIMARY KEY,
    partition smallint NOT NULL,
    act uuid NOT NULL,
    ids uuid[] NOT NULL,
    topics text[] NOT NULL,
    partitions int[] NOT NULL,
    offsets bigint[] NOT NULL
);
-- Who became one with somebody.
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;
