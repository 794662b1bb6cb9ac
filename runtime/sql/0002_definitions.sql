-- This service's copy of the published documents. revision grows with every batch that changed it and is read in each transaction.
CREATE TABLE definition (
    kind text NOT NULL,
    key text NOT NULL,
    version int NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (kind, key, version)
);
CREATE TABLE definition_current (
    kind text NOT NULL,
    key text NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE TABLE definition_revision (one boolean PRIMARY KEY DEFAULT true CHECK (one), revision bigint NOT NULL);
INSERT INTO definition_revision (revision) VALUES (0);
