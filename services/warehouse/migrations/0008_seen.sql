-- Names that have no column: of events (scope and path empty), and of lists by the path at which they stood. What a condition mentions and
-- neither this nor `property` knows was never seen. Events of before without any property are learnt when they come again.
CREATE TABLE seen (
    event text NOT NULL,
    scope text NOT NULL DEFAULT '',
    path text NOT NULL DEFAULT '',
    seen_at bigint NOT NULL,
    PRIMARY KEY (event, scope, path)
);
INSERT INTO seen (event, seen_at) SELECT event, min(seen_at) FROM property GROUP BY event;
