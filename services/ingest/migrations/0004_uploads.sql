-- came_at: when the last piece of the file came, UTC ms; an upload counts as abandoned from then on.
ALTER TABLE import ADD COLUMN came_at bigint;
