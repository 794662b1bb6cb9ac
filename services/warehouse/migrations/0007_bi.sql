-- Who stands in which segment now. cause: id of the fact, merge or unmerge that brought him in.
CREATE VIEW bi.segment_members AS
SELECT m.segment, m.profile, to_timestamp(m.since / 1000.0) AS since, m.why, m.cause, m.version
FROM member m
WHERE NOT EXISTS (SELECT FROM merged g WHERE g.loser = m.profile) AND NOT EXISTS (SELECT FROM hidden h WHERE h.profile = m.profile);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT SELECT ON bi.segment_members TO otklik_bi;
    END IF;
END $$;
