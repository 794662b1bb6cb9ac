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

-- The segments in force.
CREATE VIEW bi.segments AS
SELECT d.key AS segment, v.body->>'name' AS name, v.brand, v.version, to_timestamp(v.published_at / 1000.0) AS published_at
FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE d.kind = 'segment';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT USAGE ON SCHEMA bi TO otklik_bi;
        GRANT SELECT ON bi.segments TO otklik_bi;
    END IF;
END $$;
