-- The plan that rules: the number under which the conditions of a revision of the definitions were compiled. content: what they mean.
CREATE TABLE plan (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision bigint NOT NULL,
    number bigint NOT NULL,
    content text NOT NULL
);
INSERT INTO plan (revision, number, content) VALUES (-1, 0, '');
