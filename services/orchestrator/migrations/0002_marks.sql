-- Marks above next_offset that were not read in all the partitions in which they stand: msgpack of domain.marks.Mark.halves.
ALTER TABLE mark ADD COLUMN halves bytea NOT NULL DEFAULT '\x90';
