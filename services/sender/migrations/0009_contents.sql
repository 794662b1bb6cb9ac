-- Until when (ms, of finished_at) it was forgotten what messages said; one row.
CREATE TABLE contents (one boolean PRIMARY KEY DEFAULT true CHECK (one), until bigint NOT NULL DEFAULT 0);
INSERT INTO contents DEFAULT VALUES;
-- Rows end in the order in which they lie, more or less: an index of a few pages finds an hour of them.
CREATE INDEX attempt_finished ON attempt USING brin (finished_at) WITH (pages_per_range = 32);
