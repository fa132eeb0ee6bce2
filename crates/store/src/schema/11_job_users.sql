-- Who played or retried a job; of others it is the pipeline's user.

CREATE TABLE job_users (
    job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX job_users_by_user ON job_users (user_id);
