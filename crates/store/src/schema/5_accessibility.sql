-- Who may read an artifact, as its job's configuration says: `artifacts:access`.

ALTER TABLE artifacts ADD COLUMN accessibility TEXT NOT NULL DEFAULT 'public';
UPDATE artifacts SET accessibility =
    CASE (SELECT json_extract(spec, '$.artifacts.access') FROM jobs WHERE jobs.id = artifacts.job_id)
        WHEN 'developer' THEN 'private'
        WHEN 'maintainer' THEN 'maintainer'
        WHEN 'none' THEN 'none'
        ELSE 'public'
    END;
