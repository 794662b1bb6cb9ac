-- One row for each event: whoever gives or frees a seat holds it. version: of the document that its people were told of; due_at: when
-- something is to be done with its people (ms). place: of the next registration.
CREATE TABLE hall (
    event text PRIMARY KEY,
    version int NOT NULL DEFAULT 0,
    due_at bigint NOT NULL DEFAULT 0,
    place bigint NOT NULL DEFAULT 1
);

-- One row for each person of an event. place: the order in which they came; rank: of a selection, smaller first; said_at: when he last
-- registered or cancelled (occurred_at); seated: has a seat of the room, status confirmed or attended; coming: he has said so; home: of
-- the fact, so that an unmerge finds whose it is; told: a mark of the time and place that he was told; others: registrations of people
-- who turned out to be him.
CREATE TABLE registration (
    event text NOT NULL,
    profile uuid NOT NULL,
    id uuid NOT NULL,
    status text NOT NULL,
    online boolean NOT NULL,
    seated boolean NOT NULL,
    rank int,
    place bigint NOT NULL,
    said_at bigint NOT NULL,
    coming boolean NOT NULL,
    answers text NOT NULL,
    home text NOT NULL,
    code text NOT NULL,
    told text NOT NULL,
    others text NOT NULL,
    PRIMARY KEY (event, profile)
);
CREATE INDEX registration_seated ON registration (event) WHERE seated;
CREATE INDEX registration_waiting ON registration (event, rank, place) WHERE status = 'waitlisted';
CREATE INDEX registration_place ON registration (event, place);
CREATE INDEX registration_code ON registration (event, code);
CREATE INDEX registration_profile ON registration (profile);
