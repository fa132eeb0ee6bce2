-- What `shipway run` keeps: pipelines, stages, jobs, artifacts.

CREATE TABLE projects (
    path TEXT NOT NULL PRIMARY KEY,
    last_iid BIGINT NOT NULL
);
CREATE TABLE pipelines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    iid BIGINT NOT NULL,
    project TEXT NOT NULL,
    ref_name TEXT NOT NULL,
    ref_kind TEXT NOT NULL,
    sha TEXT,
    source TEXT NOT NULL,
    status TEXT NOT NULL,
    name TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    yaml_errors TEXT,
    context TEXT NOT NULL,
    coverage DOUBLE,
    UNIQUE (project, iid)
);
CREATE TABLE stages (
    pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (pipeline_id, position)
);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline_id BIGINT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    stage BIGINT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    run_when TEXT NOT NULL,
    allow_failure BOOLEAN NOT NULL,
    scheduling TEXT NOT NULL,
    needs TEXT NOT NULL,
    spec TEXT NOT NULL,
    tags TEXT NOT NULL,
    retried BOOLEAN NOT NULL DEFAULT FALSE,
    attempt BIGINT NOT NULL,
    triggered BOOLEAN NOT NULL,
    failure_reason TEXT,
    exit_code BIGINT,
    queued_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    scheduled_at BIGINT,
    coverage DOUBLE,
    tests TEXT,
    runner TEXT,
    trace_bytes BIGINT NOT NULL DEFAULT 0,
    environment TEXT,
    reason TEXT NOT NULL
);
CREATE INDEX jobs_by_pipeline ON jobs (pipeline_id);
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    file_type TEXT NOT NULL,
    format TEXT NOT NULL,
    file_name TEXT NOT NULL,
    size BIGINT NOT NULL,
    expires_at BIGINT,
    path TEXT NOT NULL
);
CREATE INDEX artifacts_by_job ON artifacts (job_id);
