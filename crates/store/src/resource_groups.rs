//! Resource groups of a project, whose jobs take turns.

use shipway_pipeline::{JobId, PipelineId, Status};

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::rows::{Key, StatusText};
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A resource group.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ResourceGroupRow {
    /// Unique in the store.
    pub id: i64,
    /// Whose it is.
    pub project_id: ProjectId,
    /// `resource_group`, expanded.
    pub name: String,
    /// `unordered`, `oldest_first`, `newest_first` or `newest_ready_first`.
    pub process_mode: String,
    /// The job that got the resource last; it may have given it back.
    pub holder: Option<i64>,
    /// When its first job came, microseconds since 1970.
    pub created_at: i64,
}

/// A job of a resource group that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct ClaimantRow {
    /// The job.
    #[sqlx(try_from = "Key")]
    pub job_id: JobId,
    /// Its pipeline.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// Where it stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
}

const OF_PROJECT: &str = "SELECT * FROM resource_groups WHERE project_id = $1 ORDER BY id";

const FIND: &str = "SELECT * FROM resource_groups WHERE project_id = $1 AND name = $2";

const WAITING: &str = "SELECT DISTINCT resource_groups.* FROM resource_groups \
    JOIN claimants ON claimants.group_id = resource_groups.id \
    JOIN jobs ON jobs.id = claimants.job_id \
    WHERE jobs.status = 'waiting_for_resource' ORDER BY resource_groups.id";

const CLAIMANTS: &str = "SELECT jobs.id AS job_id, jobs.pipeline_id, jobs.status FROM claimants \
    JOIN jobs ON jobs.id = claimants.job_id \
    WHERE claimants.group_id = $1 AND NOT jobs.retried ORDER BY jobs.id";

const MAKE: &str = "INSERT INTO resource_groups (project_id, name, created_at) \
    VALUES ($1, $2, $3) ON CONFLICT (project_id, name) DO NOTHING";

const CLAIM: &str = "INSERT INTO claimants (job_id, group_id) \
    SELECT $1, id FROM resource_groups WHERE project_id = $2 AND name = $3 \
    ON CONFLICT (job_id) DO NOTHING";

const LEAVE: &str = "DELETE FROM claimants WHERE job_id = $1";

const TAKE: &str = "UPDATE resource_groups SET holder = $2 WHERE id = $1 \
    AND (holder = $3 OR (holder IS NULL AND $3 IS NULL))";

const SET_MODE: &str = "UPDATE resource_groups SET process_mode = $2 WHERE id = $1";

impl Store {
    /// The project's resource groups.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resource_groups(
        &self,
        project: ProjectId,
    ) -> Result<Vec<ResourceGroupRow>, StoreError> {
        self.all(query(OF_PROJECT).bind(project)).await
    }

    /// The project's resource group of this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resource_group(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<ResourceGroupRow>, StoreError> {
        self.optional(query(FIND).bind(project).bind(name)).await
    }

    /// The resource groups of all projects for which a job waits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn awaited_resource_groups(&self) -> Result<Vec<ResourceGroupRow>, StoreError> {
        self.all(query(WAITING)).await
    }

    /// The jobs of a resource group that are not over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claimants(&self, group: i64) -> Result<Vec<ClaimantRow>, StoreError> {
        self.all(query(CLAIMANTS).bind(group)).await
    }
}

impl Transaction {
    /// Lets a job take its turn in a group, which is made where there is none of this name.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn join_resource_group(
        &mut self,
        job: JobId,
        project: ProjectId,
        name: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let make = query(MAKE).bind(project).bind(name).bind(now);
        self.execute(make).await?;
        let claim = query(CLAIM).bind(job.0).bind(project).bind(name);
        self.execute(claim).await.map(drop)
    }

    /// Notes that a job is over, so that it takes no turn.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn leave_resource_group(&mut self, job: JobId) -> Result<(), StoreError> {
        self.execute(query(LEAVE).bind(job.0)).await.map(drop)
    }

    /// Gives the resource to a job; `false` when somebody else has given it to another since
    /// `before` had it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn give_resource(
        &mut self,
        group: i64,
        before: Option<i64>,
        job: JobId,
    ) -> Result<bool, StoreError> {
        let take = query(TAKE).bind(group).bind(job.0).bind(before);
        Ok(self.execute(take).await? > 0)
    }

    /// Changes the order in which the group's jobs get its resource.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_process_mode(&mut self, group: i64, mode: &str) -> Result<(), StoreError> {
        let set = query(SET_MODE).bind(group).bind(mode);
        self.execute(set).await.map(drop)
    }
}
