-- Whom a launch of a campaign is for. One row a person (the canonical one: a merge folds them), written under the lock of his row in
-- `person` once he is chosen. place: his place in the order by chance in which people are taken. verdict, rule, variant: what was decided
-- last, '' before; attempt, intent: of the letter that it is about. due: his turn is yet to come, or comes again. became: 1 opened, 2 clicked,
-- 4 bounced, 8 unsubscribed or complained.
CREATE TABLE recipient (
    launch uuid NOT NULL,
    id uuid NOT NULL,
    partition smallint NOT NULL,
    place bigint NOT NULL,
    verdict text NOT NULL DEFAULT '',
    rule text NOT NULL DEFAULT '',
    variant text NOT NULL DEFAULT '',
    attempt smallint NOT NULL DEFAULT 0,
    intent uuid,
    became smallint NOT NULL DEFAULT 0,
    due boolean NOT NULL DEFAULT true,
    PRIMARY KEY (launch, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX recipient_due ON recipient (launch, partition, place) WHERE due;

-- How far each partition has come with a launch. revision: of what was told of the launch, when this row was opened last; round, last_id,
-- chosen: how far the audience has been chosen, for which round; stopped: that it was stopped has been taken in. issued, settled: intents, and those of which
-- the sender has told something. next_at: not before that instant (ms). open: there may be something to do.
CREATE TABLE launch_partition (
    launch uuid NOT NULL,
    partition smallint NOT NULL,
    revision int NOT NULL,
    round int NOT NULL,
    last_id uuid,
    chosen boolean NOT NULL DEFAULT false,
    stopped boolean NOT NULL DEFAULT false,
    issued bigint NOT NULL DEFAULT 0,
    settled bigint NOT NULL DEFAULT 0,
    next_at bigint NOT NULL DEFAULT 0,
    open boolean NOT NULL DEFAULT true,
    PRIMARY KEY (launch, partition)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE INDEX launch_partition_open ON launch_partition (partition) WHERE open;

-- Up to which place people belong to the pilot of a launch.
CREATE TABLE pilot (launch uuid PRIMARY KEY, upto bigint NOT NULL);
