-- Whose row was written since `shown` was last brought up, maybe more than once.
CREATE TABLE changed (profile uuid NOT NULL);
INSERT INTO changed SELECT id FROM profile WHERE merged_into IS NULL AND erased_at IS NULL;

-- Attributes in a form that SQL reads: brought up some seconds behind the people, beside the way of a fact.
CREATE TABLE shown (
    profile uuid PRIMARY KEY,
    attributes jsonb NOT NULL
) WITH (fillfactor = 80);

-- Names and kinds of all cells of attributes that anybody ever had (domain/cells.py), learnt with that: an export knows its columns by them.
CREATE TABLE attribute (
    name text NOT NULL,
    kind text NOT NULL,
    PRIMARY KEY (name, kind)
);

-- Whom everybody who became one with another is by now.
CREATE VIEW canonical AS
WITH RECURSIVE gone AS (
    SELECT id AS profile, merged_into AS person FROM profile WHERE merged_into IS NOT NULL
    UNION SELECT g.profile, p.merged_into FROM gone g JOIN profile p ON p.id = g.person WHERE p.merged_into IS NOT NULL
)
SELECT g.profile, g.person FROM gone g WHERE NOT EXISTS (SELECT FROM profile p WHERE p.id = g.person AND p.merged_into IS NOT NULL);

-- attributes: as JSON, with some seconds of delay; ->> takes one of them.
CREATE VIEW bi.profiles AS
SELECT p.id AS profile, to_timestamp(p.first_at / 1000.0) AS first_received_at, coalesce(s.attributes, '{}') AS attributes,
    ARRAY(SELECT b.brand FROM profile_brand b WHERE b.profile = p.id ORDER BY b.brand) AS brands
FROM profile p LEFT JOIN shown s ON s.profile = p.id
WHERE p.merged_into IS NULL AND p.erased_at IS NULL;

CREATE VIEW bi.identifiers AS
SELECT coalesce(c.person, i.profile) AS profile, split_part(i.key, ':', 1) AS kind, substr(i.key, strpos(i.key, ':') + 1) AS value
FROM identifier i LEFT JOIN canonical c ON c.profile = i.profile
WHERE i.junk_at IS NULL;

-- Every word of the ledger. What proves it, and names people, stays there.
CREATE VIEW bi.consents AS
SELECT coalesce(n.person, coalesce(w.profile, c.profile)) AS profile, c.brand, c.channel, c.topic, c.purpose, c.action, c.basis, c.state, c.source,
    to_timestamp(c.occurred_at / 1000.0) AS occurred_at, to_timestamp(c.recorded_at / 1000.0) AS recorded_at,
    to_timestamp(c.expires_at / 1000.0) AS expires_at
FROM consent c
LEFT JOIN consent_parted w ON w.partition = c.partition AND w.number = c.number
LEFT JOIN canonical n ON n.profile = coalesce(w.profile, c.profile);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT SELECT ON bi.profiles, bi.identifiers, bi.consents TO otklik_bi;
    END IF;
END $$;
