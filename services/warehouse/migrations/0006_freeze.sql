-- Lists that are made of the members of an instant. as_of, asked_at, done_at: ms; members: how many there are, NULL until they are noted;
-- told: of how many the fact that puts them on the list is on its way.
CREATE TABLE freezing (
    id uuid PRIMARY KEY,
    segment text NOT NULL,
    list text NOT NULL,
    brand text NOT NULL,
    as_of bigint NOT NULL,
    asked_at bigint NOT NULL,
    members bigint,
    told bigint NOT NULL DEFAULT 0,
    done_at bigint
);
CREATE INDEX freezing_open ON freezing (asked_at, id) WHERE done_at IS NULL;
CREATE INDEX freezing_list ON freezing (list, asked_at);

-- Of whom it is still to be told.
CREATE TABLE frozen (
    freezing uuid NOT NULL,
    profile uuid NOT NULL,
    PRIMARY KEY (freezing, profile)
);
