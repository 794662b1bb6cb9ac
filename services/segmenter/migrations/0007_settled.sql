-- settled: the number of the last plan of which everybody of the partition was asked. Whom it left as he is keeps the number of an earlier
-- one in his row, and stands under this one.
ALTER TABLE sweep ADD COLUMN settled bigint NOT NULL DEFAULT 0;
UPDATE sweep SET settled = revision WHERE done;
