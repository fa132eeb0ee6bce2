//! What other systems say about a commit: GitLab's external commit statuses.

use shipway_pipeline::{PipelineId, Status};

use crate::error::StoreError;
use crate::ids::{CommitStatusId, ProjectId, UserId};
use crate::rows::{Key, StatusText};
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A status to be stored; of one name in a pipeline it takes the place of the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCommitStatus {
    /// In which project.
    pub project_id: ProjectId,
    /// Which pipeline of the commit it belongs to.
    pub pipeline_id: PipelineId,
    /// The commit.
    pub sha: String,
    /// The branch or tag.
    pub ref_name: String,
    /// Whose status it is; unique in the pipeline.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// Where people see more.
    pub target_url: Option<String>,
    /// A few words.
    pub description: Option<String>,
    /// Per cent.
    pub coverage: Option<f64>,
    /// Who says so.
    pub user_id: Option<UserId>,
    /// When it is said.
    pub at: i64,
}

/// A stored status.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct CommitStatusRow {
    /// Unique among these and jobs, which are numbered together as on GitLab.
    pub id: CommitStatusId,
    /// In which project.
    pub project_id: ProjectId,
    /// Which pipeline of the commit it belongs to.
    #[sqlx(try_from = "Key")]
    pub pipeline_id: PipelineId,
    /// The commit.
    pub sha: String,
    /// The branch or tag.
    pub ref_name: String,
    /// Whose status it is.
    pub name: String,
    /// Where it stands.
    #[sqlx(try_from = "StatusText")]
    pub status: Status,
    /// Where people see more.
    pub target_url: Option<String>,
    /// A few words.
    pub description: Option<String>,
    /// Per cent.
    pub coverage: Option<f64>,
    /// Who said so last.
    pub user_id: Option<UserId>,
    /// When it was first said.
    pub created_at: i64,
    /// Since when it runs or ran.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// A number of the sequence that jobs have theirs of.
const NEXT: &str = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'jobs' RETURNING seq";

const NEXT_ON_POSTGRES: &str = "SELECT nextval(pg_get_serial_sequence('jobs', 'id'))";

const KNOWN: &str = "SELECT id FROM commit_statuses WHERE pipeline_id = $1 AND name = $2";

const SET: &str = "INSERT INTO commit_statuses (id, project_id, pipeline_id, sha, ref_name, name, \
    status, target_url, description, coverage, user_id, created_at, started_at, finished_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
    ON CONFLICT (pipeline_id, name) DO UPDATE SET status = excluded.status, \
    target_url = COALESCE(excluded.target_url, commit_statuses.target_url), \
    description = COALESCE(excluded.description, commit_statuses.description), \
    coverage = COALESCE(excluded.coverage, commit_statuses.coverage), \
    user_id = excluded.user_id, \
    started_at = COALESCE(commit_statuses.started_at, excluded.started_at), \
    finished_at = excluded.finished_at RETURNING *";

const OF_COMMIT: &str = "SELECT * FROM commit_statuses WHERE project_id = $1 AND sha = $2 \
    ORDER BY id LIMIT $3";

const OF_PIPELINE: &str = "SELECT * FROM commit_statuses WHERE pipeline_id = $1 ORDER BY id";

impl Store {
    /// What is said of a commit, in the order in which it was first said.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn commit_statuses(
        &self,
        project: ProjectId,
        sha: &str,
        limit: i64,
    ) -> Result<Vec<CommitStatusRow>, StoreError> {
        self.all(query(OF_COMMIT).bind(project).bind(sha).bind(limit))
            .await
    }
}

impl Transaction {
    /// Stores a status.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_commit_status(
        &mut self,
        new: &NewCommitStatus,
    ) -> Result<CommitStatusRow, StoreError> {
        let started = (new.status != Status::Pending).then_some(new.at);
        let finished = new.status.is_completed().then_some(new.at);
        let known = query(KNOWN).bind(new.pipeline_id.0).bind(&new.name);
        let id = match self.optional::<(i64,)>(known).await? {
            Some((id,)) => id,
            None => {
                let next = query(NEXT).on_postgres(NEXT_ON_POSTGRES);
                self.one::<(i64,)>(next).await?.0
            }
        };
        let set = query(SET)
            .bind(id)
            .bind(new.project_id)
            .bind(new.pipeline_id.0)
            .bind(&new.sha)
            .bind(&new.ref_name)
            .bind(&new.name)
            .bind(new.status.as_str())
            .bind(&new.target_url)
            .bind(&new.description)
            .bind(new.coverage)
            .bind(new.user_id)
            .bind(new.at)
            .bind(started)
            .bind(finished);
        self.one(set).await
    }

    /// What is said of the commit in one of its pipelines.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn commit_statuses_of(
        &mut self,
        pipeline: PipelineId,
    ) -> Result<Vec<CommitStatusRow>, StoreError> {
        self.all(query(OF_PIPELINE).bind(pipeline.0)).await
    }
}
