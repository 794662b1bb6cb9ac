-- home: the identifier's own id, which facts carry in place of it: the profile's of the one it was made with; NULL in rows of before.
-- met: homes of the stronger identifiers that facts have told it with, parted by commas.
ALTER TABLE identifier ADD COLUMN home uuid, ADD COLUMN met text;

-- The facts that made people what they are, as far as who is who goes: an unmerge is a replay of them. One row for each person concerned,
-- as he was then. number: the order in which they were decided.
CREATE TABLE linking (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile uuid NOT NULL,
    fact uuid NOT NULL,
    at bigint NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    about uuid,
    names text[] NOT NULL
);
CREATE INDEX linking_profile ON linking (profile);
