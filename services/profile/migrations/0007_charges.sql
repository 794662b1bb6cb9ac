-- Charges that no fact has told yet, added up by person, product and day: one row until the day is told, then none.
-- first: the smallest of their ids; day: since 1970-01-01, the brand's; due_at (ms): when they are told; partition: of the person.
CREATE TABLE charge (
    profile uuid NOT NULL,
    brand text NOT NULL,
    product text NOT NULL,
    currency text NOT NULL,
    day int NOT NULL,
    lane text NOT NULL,
    partition smallint NOT NULL,
    first uuid NOT NULL,
    minor bigint NOT NULL,
    counted bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    due_at bigint NOT NULL,
    PRIMARY KEY (profile, brand, product, currency, day, lane)
) WITH (fillfactor = 80);
CREATE INDEX charge_due ON charge (partition, due_at);
