//! How many there are of what a server limits.

use crate::error::StoreError;
use crate::ids::{ProjectId, UserId};
use crate::names::Level;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// GitLab's "alive" pipelines: those that wait for a person or a time do not count.
const ACTIVE_JOBS: &str = "SELECT count(*) FROM jobs \
    JOIN pipelines ON pipelines.id = jobs.pipeline_id \
    WHERE pipelines.project_id = $1 AND pipelines.status IN \
    ('created', 'waiting_for_resource', 'preparing', 'waiting_for_callback', 'pending', 'running')";

const PIPELINES_SINCE: &str = "SELECT count(*) FROM pipelines WHERE project_id = $1 \
    AND user_id = $2 AND sha = $3 AND created_at > $4 AND source <> 'parent_pipeline'";

const SCHEDULES: &str = "SELECT count(*) FROM schedules WHERE project_id = $1";

const VARIABLES: &str = "SELECT count(*) FROM variables WHERE level = $1 AND level_id = $2";

impl Store {
    /// Jobs of the project's pipelines that are going on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_active_jobs(&self, project: ProjectId) -> Result<usize, StoreError> {
        self.number(query(ACTIVE_JOBS).bind(project))
            .await
            .map(whole)
    }

    /// Pipelines of a commit that a user was given after `since`, without child pipelines.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_pipelines_since(
        &self,
        project: ProjectId,
        user: UserId,
        sha: &str,
        since: i64,
    ) -> Result<usize, StoreError> {
        let find = query(PIPELINES_SINCE).bind(project).bind(user);
        self.number(find.bind(sha).bind(since)).await.map(whole)
    }
}

impl Transaction {
    /// The project's schedules.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_schedules(&mut self, project: ProjectId) -> Result<usize, StoreError> {
        let (count,): (i64,) = self.one(query(SCHEDULES).bind(project)).await?;
        Ok(whole(count))
    }

    /// The variables of a level.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_variables(&mut self, level: Level, id: i64) -> Result<usize, StoreError> {
        let (count,): (i64,) = self.one(query(VARIABLES).bind(level).bind(id)).await?;
        Ok(whole(count))
    }
}

fn whole(count: i64) -> usize {
    usize::try_from(count).unwrap_or_default()
}
