-- A person who was erased leaves an empty row.
ALTER TABLE person ADD COLUMN erased_at bigint;

-- What outlives its person: the no's said of an address and why a provider refused it, by a keyed hash of "kind:address". Whoever has
-- such an address later begins with that. word: "brand|channel|topic" of a no, or the channel of a refused address; reason: of the latter.
CREATE TABLE suppression (
    hash bytea NOT NULL,
    word text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (hash, word)
);
CREATE INDEX attempt_profile ON attempt (profile);
