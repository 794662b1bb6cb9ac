-- A person who was erased leaves this row, without a state: whoever names him by his id names nobody.
ALTER TABLE profile ADD COLUMN erased_at bigint;

-- The acts. profile: NULL where there was nobody (any more); others: who had been merged into him; kinds: NULL for the whole person, else
-- of the identifiers that were erased; identifiers: how many. at: received_at of the request; done_at: ms.
CREATE TABLE erasure (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act uuid NOT NULL UNIQUE,
    profile uuid,
    others uuid[] NOT NULL,
    kinds text[],
    reason text NOT NULL,
    identifiers int NOT NULL,
    at bigint NOT NULL,
    done_at bigint NOT NULL
);
CREATE INDEX erasure_at ON erasure (at);

-- Keyed hashes of erased identifiers: facts received until then name nobody by them. whole: they were a person's who is gone, so that
-- such a fact is dropped.
CREATE TABLE erased (
    hash bytea PRIMARY KEY,
    at bigint NOT NULL,
    whole boolean NOT NULL
);
