-- Companies and deals. state: msgpack of domain.Account or domain.Deal; key: what names it outside.
CREATE TABLE object (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    key text NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX object_listed ON object (kind, key, id);

-- Who belongs to which of them. state: msgpack of the membership in a company (name -> (at, value)), of a deal that of being named.
CREATE TABLE belonging (
    object uuid NOT NULL,
    profile uuid NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (object, profile)
);
CREATE INDEX belonging_profile ON belonging (profile);

-- Of everybody who belongs to any: what he was last told of them (JSON), and under which instant (ms). Whoever writes what is his
-- locks this row first.
CREATE TABLE affiliate (
    profile uuid PRIMARY KEY,
    told_at bigint NOT NULL DEFAULT 0,
    told bytea NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);

-- In which brands a person was seen: who has a key of a brand sees him if he was in it. Filled from the facts since this table is there.
CREATE TABLE profile_brand (
    profile uuid NOT NULL,
    brand text NOT NULL,
    PRIMARY KEY (profile, brand)
);
