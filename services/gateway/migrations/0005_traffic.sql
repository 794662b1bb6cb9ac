-- Visits that were bought or came, and what they cost, of one day, source, campaign and kind of landing. cost: whole minor units of currency.
-- One that is told again corrects what stood there.
CREATE TABLE traffic (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    brand text NOT NULL,
    day date NOT NULL,
    source text NOT NULL,
    campaign text NOT NULL,
    landing text NOT NULL,
    visits bigint NOT NULL,
    cost bigint NOT NULL,
    currency text NOT NULL,
    told_at bigint NOT NULL,
    UNIQUE (brand, day, source, campaign, landing)
);
