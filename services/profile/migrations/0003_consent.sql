-- The ledger of consents: rows are added and never changed, each with the hash of the one before in its partition of `facts.raw`.
-- Only what is sealed may be taken out (erasure); the chain holds its hash.
CREATE TABLE consent (
    partition int NOT NULL,
    number bigint NOT NULL,
    profile uuid NOT NULL,
    fact uuid NOT NULL,
    brand text NOT NULL,
    channel text NOT NULL,
    topic text NOT NULL,
    purpose text NOT NULL,
    action text NOT NULL,
    basis text NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    occurred_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    expires_at bigint,
    terms bytea NOT NULL,
    sealed bytea,
    sealed_hash bytea NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (partition, number)
);
CREATE INDEX consent_profile ON consent (profile, recorded_at);
CREATE FUNCTION consent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.sealed IS NULL AND to_jsonb(OLD) - 'sealed' = to_jsonb(NEW) - 'sealed' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger of consents is append-only';
END $$;
CREATE TRIGGER consent_stays BEFORE UPDATE OR DELETE ON consent FOR EACH ROW EXECUTE FUNCTION consent_stays();
CREATE TRIGGER consent_stays_whole BEFORE TRUNCATE ON consent FOR EACH STATEMENT EXECUTE FUNCTION consent_stays();

-- How far each chain has come.
CREATE TABLE consent_chain (
    partition int PRIMARY KEY,
    number bigint NOT NULL,
    hash bytea NOT NULL
);
