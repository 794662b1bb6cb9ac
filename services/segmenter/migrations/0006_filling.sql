-- held, ranks, windows: how deep states under the plan hold each accumulator (NULL: recorded before that was kept). filling: the number of
-- the plan whose new accumulators are being brought from the lake, 0: none are. scope, again: domain.plan.Filling. filling_since: when (ms).
ALTER TABLE plan
    ADD COLUMN held bigint[],
    ADD COLUMN ranks int[],
    ADD COLUMN windows bigint[],
    ADD COLUMN filling bigint NOT NULL DEFAULT 0,
    ADD COLUMN scope bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN again bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN filling_since bigint NOT NULL DEFAULT 0;
-- The first offset that each place handled under the plan of a filling: what stands below comes from the lake.
CREATE TABLE cut (
    topic text NOT NULL,
    partition int NOT NULL,
    filling bigint NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
-- How far what the lake has was added to the people of a partition. people: how many it was added to.
CREATE TABLE filled (
    partition smallint PRIMARY KEY,
    filling bigint NOT NULL,
    last_id uuid,
    people bigint NOT NULL,
    done boolean NOT NULL
);
-- waits: that everybody of the partition was asked is still to be said of conditions of which history had to come before.
ALTER TABLE sweep ADD COLUMN waits boolean NOT NULL DEFAULT false;
