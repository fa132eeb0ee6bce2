//! Who played or retried a job, where it was not the user of its pipeline.

use shipway_pipeline::JobId;

use crate::error::StoreError;
use crate::ids::UserId;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

const OF: &str = "SELECT user_id FROM job_users WHERE job_id = $1";

const SET: &str = "INSERT INTO job_users (job_id, user_id) VALUES ($1, $2) \
    ON CONFLICT (job_id) DO UPDATE SET user_id = excluded.user_id";

const INHERIT: &str = "INSERT INTO job_users (job_id, user_id) \
    SELECT $2, user_id FROM job_users WHERE job_id = $1";

impl Store {
    /// Who played or retried the job; none where nobody did, or the user is deleted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_user(&self, job: JobId) -> Result<Option<UserId>, StoreError> {
        let row: Option<(UserId,)> = self.optional(query(OF).bind(job.0)).await?;
        Ok(row.map(|(user,)| user))
    }
}

impl Transaction {
    /// Notes who played or retried the job.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_job_user(&mut self, job: JobId, user: UserId) -> Result<(), StoreError> {
        let set = query(SET).bind(job.0).bind(user);
        self.execute(set).await.map(drop)
    }

    /// Lets a newer attempt be that of the older one's user.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn inherit_job_user(&mut self, older: JobId, newer: JobId) -> Result<(), StoreError> {
        let inherit = query(INHERIT).bind(older.0).bind(newer.0);
        self.execute(inherit).await.map(drop)
    }
}
