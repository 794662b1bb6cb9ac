-- Views for BI tools, which each service makes of its own tables, and the role that may read them and nothing else.
CREATE SCHEMA IF NOT EXISTS bi;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        CREATE ROLE otklik_bi NOLOGIN;
    END IF;
EXCEPTION  -- roles are of the server: an installation beside this one may make it at the same moment
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'there is no role otklik_bi, and this user may make none: docs/bi.md';
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT USAGE ON SCHEMA bi TO otklik_bi;
    END IF;
END $$;
