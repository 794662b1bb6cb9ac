-- A person who was erased leaves an empty row.
ALTER TABLE person ADD COLUMN erased_at bigint;
