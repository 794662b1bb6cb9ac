-- How many codes of a pool could be given at counted_at: counted by one process, told by all.
CREATE TABLE promo_pool (pool text PRIMARY KEY, free bigint NOT NULL, counted_at timestamptz NOT NULL DEFAULT now());
