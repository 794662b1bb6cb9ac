-- All that was in the first lane at this instant has been handled (ms): who relies on what this service told asks how old it may be.
ALTER TABLE progress ADD COLUMN fresh_at bigint NOT NULL DEFAULT 0;
