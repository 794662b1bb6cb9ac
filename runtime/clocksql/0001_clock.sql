-- The clock of a driven run (tests, demo, simulation): one row. Live installations have driven = false.
-- turn: the service whose move it is; turn_no grows with every turn; held: inputs are being posted, nobody moves.
CREATE TABLE clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    driven boolean NOT NULL DEFAULT false,
    at bigint NOT NULL DEFAULT 0,
    turn text NOT NULL DEFAULT '',
    turn_no bigint NOT NULL DEFAULT 0
);
INSERT INTO clock DEFAULT VALUES;

-- What a service did in its last turn: moved = it read a record, fired a timer or sent something.
CREATE TABLE move (
    service text PRIMARY KEY,
    turn_no bigint NOT NULL,
    moved boolean NOT NULL
);

-- How far each service has come, for backpressure at ingest: received_at of the oldest record that is not yet handled.
CREATE TABLE progress (
    service text NOT NULL,
    instance text NOT NULL,
    caught_up_at bigint NOT NULL,
    reported_at bigint NOT NULL,
    PRIMARY KEY (service, instance)
);
