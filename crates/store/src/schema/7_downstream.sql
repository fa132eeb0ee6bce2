-- Pipelines that start others, and jobs that take turns. Most jobs do neither, so what is known
-- of those that do is in tables of its own.

-- Jobs that start or mirror another pipeline: no runner takes them.
CREATE TABLE bridges (
    job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    pipeline_id BIGINT NOT NULL
);
CREATE INDEX bridges_by_pipeline ON bridges (pipeline_id);
-- Which pipeline such a job started. The topmost pipeline of all is the root.
CREATE TABLE downstream (
    pipeline_id BIGINT NOT NULL PRIMARY KEY REFERENCES pipelines (id) ON DELETE CASCADE,
    job_id BIGINT NOT NULL UNIQUE,
    upstream_id BIGINT NOT NULL,
    root_id BIGINT NOT NULL
);
CREATE INDEX downstream_by_upstream ON downstream (upstream_id);
CREATE INDEX downstream_by_root ON downstream (root_id);
-- Resource groups of a project. The holder is the job that got the resource last.
CREATE TABLE resource_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    process_mode TEXT NOT NULL DEFAULT 'unordered',
    holder BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (project_id, name)
);
-- Unfinished jobs of a resource group.
CREATE TABLE claimants (
    job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    group_id BIGINT NOT NULL REFERENCES resource_groups (id) ON DELETE CASCADE
);
CREATE INDEX claimants_by_group ON claimants (group_id);
