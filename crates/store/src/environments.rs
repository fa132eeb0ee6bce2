//! Environments, and the deployments to them.

use shipway_pipeline::JobId;

use crate::error::StoreError;
use crate::ids::{DeploymentId, EnvironmentId, ProjectId};
use crate::names::{DeploymentStatus, EnvironmentState};
use crate::page::{Page, Paged};
use crate::projects;
use crate::rows::Key;
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A place that jobs deploy to.
    NewEnvironment => EnvironmentRow {
        id: EnvironmentId,
        /// Whose it is.
        project_id: ProjectId,
        /// Unique in its project.
        name: String,
        /// The name, fit for a host name.
        slug: String,
        /// Whether it is in use.
        state: EnvironmentState,
        /// Where people see it.
        external_url: Option<String>,
        /// `production`, `staging`, `testing`, `development` or `other`.
        tier: String,
        /// When it was made.
        created_at: i64,
        /// When it is to be stopped, if it is.
        auto_stop_at: Option<i64>,
    }
}

/// A deployment to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    /// In which project.
    pub project_id: ProjectId,
    /// Where to.
    pub environment_id: EnvironmentId,
    /// Which job deploys.
    pub job_id: JobId,
    /// What is deployed.
    pub sha: String,
    /// The branch or tag.
    pub ref_name: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// When it was made.
    pub created_at: i64,
}

/// A stored deployment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeploymentRow {
    /// Unique in the store, never used again.
    pub id: DeploymentId,
    /// Counts the project's deployments from 1.
    pub iid: i64,
    /// In which project.
    pub project_id: ProjectId,
    /// Where to.
    pub environment_id: EnvironmentId,
    /// Which job deploys.
    #[sqlx(try_from = "Key")]
    pub job_id: JobId,
    /// What is deployed.
    pub sha: String,
    /// The branch or tag.
    pub ref_name: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// When it was made.
    pub created_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// The first to deploy makes the environment; a slug or tier that is given once stays.
const ENSURE: &str = "INSERT INTO environments \
    (project_id, name, slug, state, external_url, tier, created_at, auto_stop_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (project_id, name) DO UPDATE SET \
    state = excluded.state, \
    external_url = COALESCE(excluded.external_url, environments.external_url), \
    auto_stop_at = CASE WHEN excluded.state = 'available' \
        THEN COALESCE(excluded.auto_stop_at, environments.auto_stop_at) END RETURNING *";

/// Those that are in use when their time is over, the longest overdue first.
const DUE: &str = "SELECT * FROM environments WHERE auto_stop_at <= $1 \
    AND state <> 'stopped' ORDER BY auto_stop_at, id LIMIT $2";

const SET_AUTO_STOP: &str = "UPDATE environments SET auto_stop_at = $3 \
    WHERE project_id = $1 AND name = $2 AND state = 'available'";

const DEPLOYED_BY: &str = "SELECT jobs.environment FROM deployments \
    JOIN environments ON environments.id = deployments.environment_id \
    JOIN jobs ON jobs.id = deployments.job_id \
    WHERE environments.project_id = $1 AND environments.name = $2 \
    AND deployments.status = 'success' ORDER BY deployments.id DESC LIMIT 1";

const STOP_FAILED: &str = "UPDATE environments SET state = 'available' \
    WHERE project_id = $1 AND name = $2 AND state = 'stopping'";

const FIND: &str = "SELECT * FROM environments WHERE id = $1";

const BY_NAME: &str = "SELECT * FROM environments WHERE project_id = $1 AND name = $2";

const PAGE: &str = "SELECT * FROM environments WHERE project_id = $1 ORDER BY name, id \
    LIMIT $2 OFFSET $3";

const COUNT: &str = "SELECT count(*) FROM environments WHERE project_id = $1";

const UPDATE: &str = "UPDATE environments SET name = $2, slug = $3, state = $4, \
    external_url = $5, tier = $6, auto_stop_at = $7 WHERE id = $1";

const DELETE: &str = "DELETE FROM environments WHERE id = $1";

const INSERT_DEPLOYMENT: &str = "INSERT INTO deployments \
    (iid, project_id, environment_id, job_id, sha, ref_name, status, created_at) \
    VALUES ((SELECT COALESCE(max(iid), 0) + 1 FROM deployments WHERE project_id = $1), \
    $1, $2, $3, $4, $5, $6, $7) RETURNING *";

const DEPLOYMENT: &str = "SELECT * FROM deployments WHERE id = $1";

const OF_JOB: &str = "SELECT * FROM deployments WHERE job_id = $1 ORDER BY id DESC LIMIT 1";

const DEPLOYMENTS: &str = "SELECT * FROM deployments WHERE project_id = $1 \
    AND ($2 IS NULL OR environment_id = $2) ORDER BY id DESC LIMIT $3 OFFSET $4";

const COUNT_DEPLOYMENTS: &str = "SELECT count(*) FROM deployments WHERE project_id = $1 \
    AND ($2 IS NULL OR environment_id = $2)";

const LAST_SUCCESS: &str = "SELECT * FROM deployments WHERE environment_id = $1 \
    AND status = 'success' ORDER BY id DESC LIMIT 1";

const END_OF_JOB: &str = "UPDATE deployments SET status = $2, finished_at = $3 WHERE job_id = $1 \
    AND finished_at IS NULL";

const SET_STATUS: &str = "UPDATE deployments SET status = $2, finished_at = $3 WHERE id = $1";

impl Store {
    /// The environment, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn environment(
        &self,
        id: EnvironmentId,
    ) -> Result<Option<EnvironmentRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The project's environment of this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn environment_by_name(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<EnvironmentRow>, StoreError> {
        self.optional(query(BY_NAME).bind(project).bind(name)).await
    }

    /// Environments of all projects whose time is over at `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_environments(
        &self,
        now: i64,
        limit: i64,
    ) -> Result<Vec<EnvironmentRow>, StoreError> {
        self.all(query(DUE).bind(now).bind(limit)).await
    }

    /// The project's environments by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn environments(
        &self,
        project: ProjectId,
        page: Page,
    ) -> Result<Paged<EnvironmentRow>, StoreError> {
        let rows = query(PAGE).bind(project).bind(page.limit).bind(page.offset);
        Ok(Paged {
            rows: self.all(rows).await?,
            total: self.number(query(COUNT).bind(project)).await?,
        })
    }

    /// The project's deployments, newest first, of one environment where it is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deployments(
        &self,
        project: ProjectId,
        environment: Option<EnvironmentId>,
        page: Page,
    ) -> Result<Paged<DeploymentRow>, StoreError> {
        let rows = query(DEPLOYMENTS).bind(project).bind(environment);
        let count = query(COUNT_DEPLOYMENTS).bind(project).bind(environment);
        Ok(Paged {
            rows: self.all(rows.bind(page.limit).bind(page.offset)).await?,
            total: self.number(count).await?,
        })
    }

    /// The deployment, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Option<DeploymentRow>, StoreError> {
        self.optional(query(DEPLOYMENT).bind(id)).await
    }

    /// The job's deployment, if it deploys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deployment_of_job(&self, job: JobId) -> Result<Option<DeploymentRow>, StoreError> {
        self.optional(query(OF_JOB).bind(job.0)).await
    }

    /// What is deployed to the environment now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_successful_deployment(
        &self,
        environment: EnvironmentId,
    ) -> Result<Option<DeploymentRow>, StoreError> {
        self.optional(query(LAST_SUCCESS).bind(environment)).await
    }
}

impl Transaction {
    /// Makes an environment; if the project has one of this name, gives that the state and
    /// the URL.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn ensure_environment(
        &mut self,
        new: &NewEnvironment,
    ) -> Result<EnvironmentRow, StoreError> {
        let ensure = query(ENSURE)
            .bind(new.project_id)
            .bind(&new.name)
            .bind(&new.slug)
            .bind(new.state)
            .bind(&new.external_url)
            .bind(&new.tier)
            .bind(new.created_at)
            .bind(new.auto_stop_at);
        self.one(ensure).await
    }

    /// The environment as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn environment(&mut self, id: EnvironmentId) -> Result<EnvironmentRow, StoreError> {
        self.existing_row(query(FIND).bind(id), "environment", id.0)
            .await
    }

    /// Says when the project's environment of this name, if it is in use, is to be stopped.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_auto_stop(
        &mut self,
        project: ProjectId,
        name: &str,
        at: Option<i64>,
    ) -> Result<(), StoreError> {
        let set = query(SET_AUTO_STOP).bind(project).bind(name).bind(at);
        self.execute(set).await.map(drop)
    }

    /// The environment as the job has it that deployed what is deployed now: JSON of the
    /// coordinator.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deployed_by(
        &mut self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let find = query(DEPLOYED_BY).bind(project).bind(name);
        let row: Option<(Option<String>,)> = self.optional(find).await?;
        Ok(row.and_then(|(text,)| text))
    }

    /// An environment that was being stopped is still in use: its job did not succeed.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn stop_failed(&mut self, project: ProjectId, name: &str) -> Result<(), StoreError> {
        let set = query(STOP_FAILED).bind(project).bind(name);
        self.execute(set).await.map(drop)
    }

    /// Writes all columns of an environment but its id, its project and the time it was made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when another has the name.
    pub async fn update_environment(&mut self, row: &EnvironmentRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.slug)
            .bind(row.state)
            .bind(&row.external_url)
            .bind(&row.tier)
            .bind(row.auto_stop_at);
        self.change(update, "environment", row.id.0).await
    }

    /// Forgets an environment with its deployments.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_environment(&mut self, id: EnvironmentId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "environment", id.0)
            .await
    }

    /// Stores a deployment under the next number of its project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such project.
    pub async fn insert_deployment(
        &mut self,
        new: &NewDeployment,
    ) -> Result<DeploymentRow, StoreError> {
        let lock = query(projects::LOCK).bind(new.project_id);
        self.change(lock, "project", new.project_id.0).await?;
        let insert = query(INSERT_DEPLOYMENT)
            .bind(new.project_id)
            .bind(new.environment_id)
            .bind(new.job_id.0)
            .bind(&new.sha)
            .bind(&new.ref_name)
            .bind(new.status)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Gives the deployment of a job, where there is one, its last status.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn end_deployment_of_job(
        &mut self,
        job: JobId,
        status: DeploymentStatus,
        finished_at: i64,
    ) -> Result<(), StoreError> {
        let end = query(END_OF_JOB).bind(job.0).bind(status).bind(finished_at);
        self.execute(end).await.map(drop)
    }

    /// Gives a deployment a status, and the time it ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_deployment_status(
        &mut self,
        id: DeploymentId,
        status: DeploymentStatus,
        finished_at: Option<i64>,
    ) -> Result<(), StoreError> {
        let set = query(SET_STATUS).bind(id).bind(status).bind(finished_at);
        self.change(set, "deployment", id.0).await
    }
}
