-- shape: how the file is read, JSON, sealed: its columns' names may be a customer's when it has no header.
-- repeats: facts that an earlier import had made already. size: of the file, as far as it has come.
ALTER TABLE import ADD COLUMN shape bytea, ADD COLUMN repeats bigint NOT NULL DEFAULT 0, DROP COLUMN encoding;
UPDATE import SET state = 'failed', error = 'The import was under way when the program changed. Mend: send the file again.'
WHERE state = 'running';

-- Facts that imports have made, by their ids: the same row again makes none. Profile tells repeats within a day only.
CREATE TABLE import_fact (
    id uuid PRIMARY KEY,
    at bigint NOT NULL
);
CREATE INDEX import_fact_at ON import_fact USING brin (at);
