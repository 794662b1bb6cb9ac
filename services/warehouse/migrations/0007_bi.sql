-- Several services make views there, and may begin at once.
SELECT pg_advisory_xact_lock(hashtext('otklik.bi'));
CREATE SCHEMA IF NOT EXISTS bi;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        CREATE ROLE otklik_bi NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'there is no role otklik_bi, and this user may make none: docs/bi.md';
END $$;

-- Who stands in which segment now. cause: id of the fact, merge or unmerge that brought him in.
CREATE VIEW bi.segment_members AS
SELECT m.segment, m.profile, to_timestamp(m.since / 1000.0) AS since, m.why, m.cause, m.version
FROM member m
WHERE NOT EXISTS (SELECT FROM merged g WHERE g.loser = m.profile) AND NOT EXISTS (SELECT FROM hidden h WHERE h.profile = m.profile);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT USAGE ON SCHEMA bi TO otklik_bi;
        GRANT SELECT ON bi.segment_members TO otklik_bi;
    END IF;
END $$;
