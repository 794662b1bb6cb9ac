-- People who were erased: no reader of the lake sees their rows, none are written any more, and files that have some are written anew.
-- at: when they were hidden; rewritten_at: when no current file had a row of theirs any more (ms).
CREATE TABLE hidden (
    profile uuid PRIMARY KEY,
    act uuid NOT NULL,
    at bigint NOT NULL,
    rewritten_at bigint
);
CREATE INDEX hidden_pending ON hidden (at) WHERE rewritten_at IS NULL;
