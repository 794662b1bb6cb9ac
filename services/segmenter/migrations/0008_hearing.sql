-- personal: the personal attributes that conditions ask for; unheard: those of them that profile is still to tell of everybody; hearing:
-- the number of that telling, which grows whenever it begins again.
ALTER TABLE plan
    ADD COLUMN personal text[] NOT NULL DEFAULT '{}',
    ADD COLUMN hearing bigint NOT NULL DEFAULT 0,
    ADD COLUMN unheard text[] NOT NULL DEFAULT '{}';
-- How far the people of a partition were told of.
CREATE TABLE heard (
    partition smallint PRIMARY KEY,
    hearing bigint NOT NULL,
    last_id uuid NOT NULL,
    people bigint NOT NULL,
    done boolean NOT NULL
);
-- What conditions in force ask for already is told too: the plan is recorded once more.
UPDATE plan SET revision = -1;
