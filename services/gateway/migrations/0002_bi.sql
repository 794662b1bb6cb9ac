-- The segments in force.
CREATE VIEW bi.segments AS
SELECT d.key AS segment, v.body->>'name' AS name, v.brand, v.version, to_timestamp(v.published_at / 1000.0) AS published_at
FROM document d JOIN document_version v ON v.kind = d.kind AND v.key = d.key AND v.version = d.published_version
WHERE d.kind = 'segment';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT SELECT ON bi.segments TO otklik_bi;
    END IF;
END $$;
