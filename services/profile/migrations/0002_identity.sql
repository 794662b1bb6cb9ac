-- refused: ids of the profiles, parted by commas, whose this identifier was not made, under version `ruled` of the rules of identity.
-- junk_at: since when (ms) it names nobody under that version, as it was refused to too many.
-- sources: that have told it, parted by commas; NULL in rows of before.
ALTER TABLE identifier
    ADD COLUMN refused text, ADD COLUMN ruled int NOT NULL DEFAULT 0, ADD COLUMN junk_at bigint, ADD COLUMN sources text;
CREATE INDEX identifier_refused ON identifier (key) WHERE refused IS NOT NULL AND junk_at IS NULL;
