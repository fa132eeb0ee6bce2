-- What GitLab's API tells besides: since when somebody is a member, when a job was erased, the
-- number of a protection, variables of a single job, and what others say about a commit.

ALTER TABLE members ADD COLUMN created_at BIGINT;

ALTER TABLE jobs ADD COLUMN erased_at BIGINT;

CREATE TABLE numbered_protected_refs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    pattern TEXT NOT NULL,
    push_level BIGINT NOT NULL,
    merge_level BIGINT NOT NULL,
    UNIQUE (project_id, kind, pattern)
);
INSERT INTO numbered_protected_refs (project_id, kind, pattern, push_level, merge_level)
    SELECT project_id, kind, pattern, push_level, merge_level FROM protected_refs
    ORDER BY project_id, kind, pattern;
DROP TABLE protected_refs;
ALTER TABLE numbered_protected_refs RENAME TO protected_refs;

CREATE TABLE job_variables (
    job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    variables BLOB NOT NULL
);

CREATE TABLE commit_statuses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    sha TEXT NOT NULL,
    ref_name TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    target_url TEXT,
    description TEXT,
    coverage DOUBLE,
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    UNIQUE (pipeline_id, name)
);
CREATE INDEX commit_statuses_by_commit ON commit_statuses (project_id, sha);
