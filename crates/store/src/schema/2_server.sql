-- What `shipway serve` keeps besides: people, projects, runners, and what sets pipelines off.

-- Until now the table only numbered pipelines; projects become rows of their own.
ALTER TABLE projects RENAME TO pipeline_numbers;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT,
    admin BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_by_username ON users (lower(username));
CREATE INDEX users_by_email ON users (lower(email));

CREATE TABLE access_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    expires_at BIGINT,
    revoked BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id);

CREATE TABLE sessions (
    digest BLOB NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    full_path TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner_id BIGINT REFERENCES users (id),
    parent_id BIGINT REFERENCES namespaces (id)
);
CREATE UNIQUE INDEX namespaces_by_path ON namespaces (lower(full_path));
CREATE INDEX namespaces_by_parent ON namespaces (parent_id);
CREATE INDEX namespaces_by_owner ON namespaces (owner_id);

CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace_id BIGINT NOT NULL REFERENCES namespaces (id),
    full_path TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    visibility TEXT NOT NULL,
    default_branch TEXT,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX projects_by_path ON projects (lower(full_path));
CREATE INDEX projects_by_namespace ON projects (namespace_id);

CREATE TABLE members (
    source TEXT NOT NULL,
    source_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    access_level BIGINT NOT NULL,
    PRIMARY KEY (source, source_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE protected_refs (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    pattern TEXT NOT NULL,
    push_level BIGINT NOT NULL,
    merge_level BIGINT NOT NULL,
    PRIMARY KEY (project_id, kind, pattern)
);

CREATE TABLE variables (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    level TEXT NOT NULL,
    level_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    variable_type TEXT NOT NULL,
    protected BOOLEAN NOT NULL,
    masked BOOLEAN NOT NULL,
    hidden BOOLEAN NOT NULL,
    raw BOOLEAN NOT NULL,
    environment_scope TEXT NOT NULL,
    description TEXT,
    UNIQUE (level, level_id, key, environment_scope)
);

CREATE TABLE runners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_digest BLOB NOT NULL UNIQUE,
    token_prefix TEXT NOT NULL,
    token_expires_at BIGINT,
    kind TEXT NOT NULL,
    owner_id BIGINT,
    description TEXT NOT NULL,
    maintenance_note TEXT,
    tags TEXT NOT NULL,
    run_untagged BOOLEAN NOT NULL,
    locked BOOLEAN NOT NULL,
    protected_only BOOLEAN NOT NULL,
    paused BOOLEAN NOT NULL,
    maximum_timeout BIGINT,
    version TEXT,
    revision TEXT,
    platform TEXT,
    architecture TEXT,
    executor TEXT,
    ip TEXT,
    contacted_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX runners_by_owner ON runners (kind, owner_id);

CREATE TABLE runner_managers (
    runner_id BIGINT NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
    system_id TEXT NOT NULL,
    version TEXT,
    revision TEXT,
    platform TEXT,
    architecture TEXT,
    executor TEXT,
    ip TEXT,
    features TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    contacted_at BIGINT NOT NULL,
    PRIMARY KEY (runner_id, system_id)
);

CREATE TABLE runner_projects (
    runner_id BIGINT NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (runner_id, project_id)
);
CREATE INDEX runner_projects_by_project ON runner_projects (project_id);

CREATE TABLE registration_tokens (
    level TEXT NOT NULL,
    level_id BIGINT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    token BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (level, level_id)
);

CREATE TABLE triggers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    token_digest BLOB NOT NULL UNIQUE,
    token_prefix TEXT NOT NULL,
    owner_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX triggers_by_project ON triggers (project_id);

CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    ref_name TEXT NOT NULL,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    owner_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    next_run_at BIGINT,
    variables BLOB NOT NULL,
    last_pipeline_id BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX schedules_by_project ON schedules (project_id);
CREATE INDEX schedules_due ON schedules (next_run_at) WHERE active;

CREATE TABLE environments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    state TEXT NOT NULL,
    external_url TEXT,
    tier TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    iid BIGINT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    environment_id BIGINT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sha TEXT NOT NULL,
    ref_name TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    UNIQUE (project_id, iid)
);
CREATE INDEX deployments_by_environment ON deployments (environment_id, id);
CREATE INDEX deployments_by_job ON deployments (job_id);

-- The branches and tags as the pipelines know them: where git has moved on, somebody pushed and
-- the server died before it made the pipeline.
CREATE TABLE known_refs (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sha TEXT NOT NULL,
    PRIMARY KEY (project_id, name)
);

ALTER TABLE pipelines ADD COLUMN project_id BIGINT REFERENCES projects (id) ON DELETE CASCADE;
ALTER TABLE pipelines ADD COLUMN user_id BIGINT REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE pipelines ADD COLUMN protected BOOLEAN NOT NULL DEFAULT FALSE;
-- Counts the steps of a pipeline: whoever kept an older one in memory finds out before it writes.
ALTER TABLE pipelines ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
CREATE INDEX pipelines_by_project ON pipelines (project_id, id);
CREATE INDEX pipelines_by_ref ON pipelines (project_id, ref_name, id);

-- A copy of the pipeline's project and protection, so that the queue is one index.
ALTER TABLE jobs ADD COLUMN project_id BIGINT;
ALTER TABLE jobs ADD COLUMN protected BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE jobs ADD COLUMN token_digest BLOB;
ALTER TABLE jobs ADD COLUMN runner_id BIGINT REFERENCES runners (id) ON DELETE SET NULL;
ALTER TABLE jobs ADD COLUMN system_id TEXT;
ALTER TABLE jobs ADD COLUMN acknowledged_at BIGINT;
ALTER TABLE jobs ADD COLUMN contacted_at BIGINT;
ALTER TABLE jobs ADD COLUMN debug_trace BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX jobs_by_token ON jobs (token_digest);
CREATE INDEX jobs_by_project ON jobs (project_id, id);
CREATE INDEX jobs_by_runner ON jobs (runner_id, id);
CREATE INDEX jobs_in_queue ON jobs (queued_at, id) WHERE status = 'pending';
CREATE INDEX jobs_at_work ON jobs (project_id, runner_id) WHERE status IN ('running', 'canceling');
