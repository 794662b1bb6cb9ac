-- clean_at: when no current file had a row of his any more (ms); he is rewritten once no file that was replaced until then is left either.
ALTER TABLE hidden ADD COLUMN clean_at bigint;
