-- How far the walk has come that makes everybody hear of a gate or a migration: those up to last_id have. done: everybody has.
CREATE TABLE walk (
    kind text NOT NULL,
    key text NOT NULL,
    version int NOT NULL,
    last_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, key, version)
);
