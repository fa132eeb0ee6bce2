-- Tests that failed on a project's default branch, for how often they did lately. The test is a
-- digest of its job, class and name.

CREATE TABLE test_failures (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    test TEXT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    failed_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, test)
);
CREATE INDEX test_failures_by_test ON test_failures (project_id, test, failed_at);
