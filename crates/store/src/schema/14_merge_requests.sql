-- Branches that somebody wants merged, and the pipelines of them.

CREATE TABLE merge_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    iid BIGINT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    source_branch TEXT NOT NULL,
    target_branch TEXT NOT NULL,
    state TEXT NOT NULL,
    sha TEXT NOT NULL,
    merge_commit_sha TEXT,
    author_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    merged_at BIGINT,
    closed_at BIGINT,
    UNIQUE (project_id, iid)
);
CREATE INDEX merge_requests_by_source ON merge_requests (project_id, source_branch);

CREATE TABLE merge_request_pipelines (
    pipeline_id BIGINT NOT NULL PRIMARY KEY REFERENCES pipelines (id) ON DELETE CASCADE,
    merge_request_id BIGINT NOT NULL REFERENCES merge_requests (id) ON DELETE CASCADE
);
CREATE INDEX merge_request_pipelines_by_request ON merge_request_pipelines (merge_request_id);
