-- Codes of pools. number: its name wherever the code is not to be seen; hash: keyed, of the brand and the code as it is spelled; sealed:
-- the code, encrypted. given_at: it was given, and stays so when the person is erased; home: of the run, so that an unmerge finds whose
-- it is. used_in: id of the order. Taken in the order of the numbers, under FOR UPDATE SKIP LOCKED, in the transaction of the batch that gives it.
CREATE TABLE promo_code (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    sealed bytea NOT NULL,
    given_at bigint,
    given_to uuid,
    home text NOT NULL DEFAULT '',
    journey text NOT NULL DEFAULT '',
    step text NOT NULL DEFAULT '',
    occurrence text NOT NULL DEFAULT '',
    used_at bigint,
    used_by uuid,
    used_in text NOT NULL DEFAULT ''
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX promo_code_free ON promo_code (pool, number) WHERE given_at IS NULL AND used_at IS NULL;
CREATE INDEX promo_code_given ON promo_code (given_to) WHERE given_to IS NOT NULL;
CREATE INDEX promo_code_used ON promo_code (used_by) WHERE used_by IS NOT NULL;

-- One row for each upload: a repeated one (key: hash of its Idempotency-Key) is answered as the first was. request: hash of the body.
CREATE TABLE promo_load (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pool text NOT NULL,
    key text UNIQUE,
    request bytea,
    answer jsonb,
    loaded_at bigint NOT NULL
);
