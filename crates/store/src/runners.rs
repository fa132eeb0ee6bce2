//! Runners, the machines that share one runner's token, and the projects they are for.

use crate::error::StoreError;
use crate::ids::{ProjectId, RunnerId};
use crate::names::RunnerKind;
use crate::page::{Page, Paged};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A runner: one authentication token.
    NewRunner => RunnerRow {
        id: RunnerId,
        /// SHA-256 of the token, made by the caller.
        token_digest: Vec<u8>,
        /// The beginning of the token, for people.
        token_prefix: String,
        /// From when on the token is worthless; none for never.
        token_expires_at: Option<i64>,
        /// Whose jobs it takes.
        kind: RunnerKind,
        /// Its group or first project, by `kind`.
        owner_id: Option<i64>,
        /// Its name for people.
        description: String,
        /// What its administrator should know.
        maintenance_note: Option<String>,
        /// JSON: its tags.
        tags: String,
        /// Takes jobs without tags too.
        run_untagged: bool,
        /// Cannot be given to other projects.
        locked: bool,
        /// Takes jobs of protected refs only.
        protected_only: bool,
        /// Gets no jobs.
        paused: bool,
        /// The longest that a job may take on it, in seconds.
        maximum_timeout: Option<i64>,
        /// Of its program.
        version: Option<String>,
        /// Of its program.
        revision: Option<String>,
        /// Its operating system.
        platform: Option<String>,
        /// Its processor.
        architecture: Option<String>,
        /// `docker`, `shell`, …
        executor: Option<String>,
        /// Where it called from.
        ip: Option<String>,
        /// When it last called.
        contacted_at: Option<i64>,
        /// When it was made.
        created_at: i64,
    }
}

/// One of the machines that share a runner's token.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RunnerManagerRow {
    /// Whose token it uses.
    pub runner_id: RunnerId,
    /// What the machine calls itself.
    pub system_id: String,
    /// Of its program.
    pub version: Option<String>,
    /// Of its program.
    pub revision: Option<String>,
    /// Its operating system.
    pub platform: Option<String>,
    /// Its processor.
    pub architecture: Option<String>,
    /// `docker`, `shell`, …
    pub executor: Option<String>,
    /// Where it called from.
    pub ip: Option<String>,
    /// JSON: what it can do.
    pub features: String,
    /// When it first called; kept when it calls again.
    pub created_at: i64,
    /// When it last called.
    pub contacted_at: i64,
}

const INSERT: &str = "INSERT INTO runners (token_digest, token_prefix, token_expires_at, kind, \
    owner_id, description, maintenance_note, tags, run_untagged, locked, protected_only, paused, \
    maximum_timeout, version, revision, platform, architecture, executor, ip, contacted_at, \
    created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
    $17, $18, $19, $20, $21) RETURNING *";

const FIND: &str = "SELECT * FROM runners WHERE id = $1";

const BY_DIGEST: &str = "SELECT * FROM runners WHERE token_digest = $1";

const PAGE: &str = "SELECT * FROM runners WHERE ($1 IS NULL OR kind = $1) \
    AND ($2 IS NULL OR owner_id = $2) ORDER BY id DESC LIMIT $3 OFFSET $4";

const COUNT: &str = "SELECT count(*) FROM runners WHERE ($1 IS NULL OR kind = $1) \
    AND ($2 IS NULL OR owner_id = $2)";

const FOR_PROJECT: &str = "WITH RECURSIVE above (id, parent_id) AS (\
        SELECT namespaces.id, parent_id FROM namespaces \
        JOIN projects ON projects.namespace_id = namespaces.id WHERE projects.id = $1 \
        UNION SELECT namespaces.id, namespaces.parent_id \
        FROM namespaces JOIN above ON namespaces.id = above.parent_id) \
    SELECT * FROM runners WHERE kind = 'instance' \
    OR (kind = 'group' AND owner_id IN (SELECT id FROM above)) \
    OR (kind = 'project' AND id IN \
        (SELECT runner_id FROM runner_projects WHERE project_id = $1)) ORDER BY id";

const UPDATE: &str = "UPDATE runners SET token_digest = $2, token_prefix = $3, \
    token_expires_at = $4, kind = $5, owner_id = $6, description = $7, maintenance_note = $8, \
    tags = $9, run_untagged = $10, locked = $11, protected_only = $12, paused = $13, \
    maximum_timeout = $14 WHERE id = $1";

const CONTACT: &str = "UPDATE runners SET version = COALESCE($2, version), \
    revision = COALESCE($3, revision), platform = COALESCE($4, platform), \
    architecture = COALESCE($5, architecture), executor = COALESCE($6, executor), \
    ip = COALESCE($7, ip), contacted_at = $8 WHERE id = $1";

const MANAGER_CONTACT: &str = "INSERT INTO runner_managers (runner_id, system_id, version, \
    revision, platform, architecture, executor, ip, features, created_at, contacted_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
    ON CONFLICT (runner_id, system_id) DO UPDATE SET \
    version = COALESCE(excluded.version, runner_managers.version), \
    revision = COALESCE(excluded.revision, runner_managers.revision), \
    platform = COALESCE(excluded.platform, runner_managers.platform), \
    architecture = COALESCE(excluded.architecture, runner_managers.architecture), \
    executor = COALESCE(excluded.executor, runner_managers.executor), \
    ip = COALESCE(excluded.ip, runner_managers.ip), features = excluded.features, \
    contacted_at = excluded.contacted_at";

const DELETE: &str = "DELETE FROM runners WHERE id = $1";

const MANAGERS: &str = "SELECT * FROM runner_managers WHERE runner_id = $1 ORDER BY system_id";

const MANAGER: &str = "SELECT * FROM runner_managers WHERE runner_id = $1 AND system_id = $2";

const DELETE_MANAGER: &str = "DELETE FROM runner_managers WHERE runner_id = $1 AND system_id = $2";

const ASSIGN: &str = "INSERT INTO runner_projects (runner_id, project_id) VALUES ($1, $2) \
    ON CONFLICT (runner_id, project_id) DO NOTHING";

const UNASSIGN: &str = "DELETE FROM runner_projects WHERE runner_id = $1 AND project_id = $2";

const PROJECTS: &str = "SELECT project_id FROM runner_projects WHERE runner_id = $1 \
    ORDER BY project_id";

impl Store {
    /// The runner, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runner(&self, id: RunnerId) -> Result<Option<RunnerRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The runner whose token has this digest; the token may be expired.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runner_by_digest(&self, digest: &[u8]) -> Result<Option<RunnerRow>, StoreError> {
        self.optional(query(BY_DIGEST).bind(digest)).await
    }

    /// Runners, newest first, of one kind and owner where these are given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runners(
        &self,
        kind: Option<RunnerKind>,
        owner: Option<i64>,
        page: Page,
    ) -> Result<Paged<RunnerRow>, StoreError> {
        let kind = kind.map(RunnerKind::as_str);
        let rows = query(PAGE).bind(kind).bind(owner);
        Ok(Paged {
            rows: self.all(rows.bind(page.limit).bind(page.offset)).await?,
            total: self.number(query(COUNT).bind(kind).bind(owner)).await?,
        })
    }

    /// The runners that the project's jobs may run on, tags and the like aside: the
    /// instance's, those of the groups above, and those assigned to it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runners_for_project(
        &self,
        project: ProjectId,
    ) -> Result<Vec<RunnerRow>, StoreError> {
        self.all(query(FOR_PROJECT).bind(project)).await
    }

    /// The machines that use the runner's token.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runner_managers(
        &self,
        runner: RunnerId,
    ) -> Result<Vec<RunnerManagerRow>, StoreError> {
        self.all(query(MANAGERS).bind(runner)).await
    }

    /// One of the machines that use the runner's token.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runner_manager(
        &self,
        runner: RunnerId,
        system_id: &str,
    ) -> Result<Option<RunnerManagerRow>, StoreError> {
        self.optional(query(MANAGER).bind(runner).bind(system_id))
            .await
    }

    /// The projects that the runner is assigned to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runner_projects(&self, runner: RunnerId) -> Result<Vec<ProjectId>, StoreError> {
        let rows: Vec<(ProjectId,)> = self.all(query(PROJECTS).bind(runner)).await?;
        Ok(rows.into_iter().map(|(project,)| project).collect())
    }
}

impl Transaction {
    /// The runner as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn runner(&mut self, id: RunnerId) -> Result<RunnerRow, StoreError> {
        self.existing_row(query(FIND).bind(id), "runner", id.0)
            .await
    }

    /// Stores a runner.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_runner(&mut self, new: &NewRunner) -> Result<RunnerRow, StoreError> {
        let insert = query(INSERT)
            .bind(&new.token_digest)
            .bind(&new.token_prefix)
            .bind(new.token_expires_at)
            .bind(new.kind)
            .bind(new.owner_id)
            .bind(&new.description)
            .bind(&new.maintenance_note)
            .bind(&new.tags)
            .bind(new.run_untagged)
            .bind(new.locked)
            .bind(new.protected_only)
            .bind(new.paused)
            .bind(new.maximum_timeout)
            .bind(&new.version)
            .bind(&new.revision)
            .bind(&new.platform)
            .bind(&new.architecture)
            .bind(&new.executor)
            .bind(&new.ip)
            .bind(new.contacted_at)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Writes what people decide about a runner, and its token; what it says of itself is
    /// written by [`Transaction::runner_contact`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_runner(&mut self, row: &RunnerRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.token_digest)
            .bind(&row.token_prefix)
            .bind(row.token_expires_at)
            .bind(row.kind)
            .bind(row.owner_id)
            .bind(&row.description)
            .bind(&row.maintenance_note)
            .bind(&row.tags)
            .bind(row.run_untagged)
            .bind(row.locked)
            .bind(row.protected_only)
            .bind(row.paused)
            .bind(row.maximum_timeout);
        self.change(update, "runner", row.id.0).await?;
        self.runner_changed(row.id);
        Ok(())
    }

    /// Notes a call of one of the runner's machines, with what it says of itself; what it does
    /// not say stays as it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn runner_contact(&mut self, call: &RunnerManagerRow) -> Result<(), StoreError> {
        let runner = query(CONTACT)
            .bind(call.runner_id)
            .bind(&call.version)
            .bind(&call.revision)
            .bind(&call.platform)
            .bind(&call.architecture)
            .bind(&call.executor)
            .bind(&call.ip)
            .bind(call.contacted_at);
        self.change(runner, "runner", call.runner_id.0).await?;
        let manager = query(MANAGER_CONTACT)
            .bind(call.runner_id)
            .bind(&call.system_id)
            .bind(&call.version)
            .bind(&call.revision)
            .bind(&call.platform)
            .bind(&call.architecture)
            .bind(&call.executor)
            .bind(&call.ip)
            .bind(&call.features)
            .bind(call.created_at)
            .bind(call.contacted_at);
        self.execute(manager).await.map(drop)
    }

    /// Forgets a runner with its machines and assignments; its jobs forget who ran them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_runner(&mut self, id: RunnerId) -> Result<(), StoreError> {
        self.runner_changed(id);
        self.change(query(DELETE).bind(id), "runner", id.0).await
    }

    /// Forgets one of a runner's machines; returns whether there was one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_runner_manager(
        &mut self,
        runner: RunnerId,
        system_id: &str,
    ) -> Result<bool, StoreError> {
        let delete = query(DELETE_MANAGER).bind(runner).bind(system_id);
        Ok(self.execute(delete).await? > 0)
    }

    /// Lets the runner take a project's jobs.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn assign_runner(
        &mut self,
        runner: RunnerId,
        project: ProjectId,
    ) -> Result<(), StoreError> {
        self.runner_changed(runner);
        let assign = query(ASSIGN).bind(runner).bind(project);
        self.execute(assign).await.map(drop)
    }

    /// Ends an assignment; returns whether there was one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn unassign_runner(
        &mut self,
        runner: RunnerId,
        project: ProjectId,
    ) -> Result<bool, StoreError> {
        self.runner_changed(runner);
        let unassign = query(UNASSIGN).bind(runner).bind(project);
        Ok(self.execute(unassign).await? > 0)
    }

    /// Runners that wait for a job are to know at once that they are others now.
    fn runner_changed(&mut self, id: RunnerId) {
        self.notify(format!("runner {id}"));
    }
}
