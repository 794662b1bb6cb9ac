-- Whose facts are by their homes since somebody was parted (runtime/parted.py): readers of the lake give each what is his.
CREATE TABLE parted (
    part uuid PRIMARY KEY,
    owner uuid NOT NULL,
    stays uuid NOT NULL,
    told uuid[] NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX parted_owner ON parted (owner);
